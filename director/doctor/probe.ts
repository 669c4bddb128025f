/** Asks the neighbours who has an address, and hears all that answer: the kernel would keep one of them. */
import { setTimeout as sleep } from "node:timers/promises";
import { Address } from "../../core/wire/address.ts";
import { answeredBy, arpRequest, ETHERTYPE_ARP, hardwareBytes } from "./arp-frame.ts";
import type { ArpAnswer, Device } from "./facts.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
/** sockaddr_ll of packet(7). */
const ADDRESS = 20;
/** As long as a neighbour may take; each question is asked this often, half of the time apart. */
const PATIENCE = 600;
const TRIES = 2;
const TICK = 20;
const FRAME = 2048;

interface Calls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  recv(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  close(fd: number): number;
}

/** By address, or why nobody could be asked. */
export async function probe(
  targets: readonly Address[],
  devices: readonly Device[],
): Promise<Map<string, ArpAnswer[]> | string> {
  const asked = targets.filter(({ family }) => family === 4);
  const found = new Map<string, ArpAnswer[]>(asked.map((target) => [String(target), []]));
  if (asked.length === 0) return found;
  const calls = await loadCalls();
  if (typeof calls === "string") return calls;
  const failures: string[] = [];
  await Promise.all(
    devices.map(async (device) => {
      const failure = await probeOn(calls, device, asked, found);
      if (failure !== null) failures.push(failure);
    }),
  );
  return failures[0] ?? found;
}

async function probeOn(
  calls: Calls,
  device: Device,
  targets: readonly Address[],
  found: ReadonlyMap<string, ArpAnswer[]>,
): Promise<string | null> {
  const own = hardwareBytes(device.hardware);
  if (own === null) return null;
  const fd = calls.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, swapped(ETHERTYPE_ARP));
  if (fd < 0) return "asking neighbours needs CAP_NET_RAW";
  try {
    if (calls.bind(fd, linkAddress(device.index), ADDRESS) !== 0) return `${device.name} cannot be listened to`;
    const asker =
      device.addresses.map((text) => Address.parse(text)).find((one) => one?.family === 4) ?? Address.ipv4(0);
    for (let time = 0; time < PATIENCE; time += TICK) {
      if (time % (PATIENCE / TRIES) === 0) {
        for (const target of targets) {
          const request = arpRequest(own, asker, target);
          calls.send(fd, request, request.length, 0);
        }
      }
      await sleep(TICK);
      hear(calls, fd, device.name, targets, found);
    }
    return null;
  } finally {
    calls.close(fd);
  }
}

function hear(
  calls: Calls,
  fd: number,
  device: string,
  targets: readonly Address[],
  found: ReadonlyMap<string, ArpAnswer[]>,
): void {
  const frame = new Uint8Array(FRAME);
  for (let length = calls.recv(fd, frame, FRAME, 0); length > 0; length = calls.recv(fd, frame, FRAME, 0)) {
    for (const target of targets) {
      const hardware = answeredBy(frame.subarray(0, length), target);
      const answers = found.get(String(target))!;
      if (hardware === null || answers.some((one) => one.hardware === hardware && one.device === device)) continue;
      answers.push({ device, hardware });
    }
  }
}

/** The kernel wants it in network byte order, whatever the machine's. */
const swapped = (n: number): number => ((n & 0xff) << 8) | (n >> 8);

function linkAddress(index: number): Uint8Array {
  const bytes = new Uint8Array(ADDRESS);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETHERTYPE_ARP);
  view.setInt32(4, index, true);
  return bytes;
}

async function loadCalls(): Promise<Calls | string> {
  try {
    const { default: koffi } = await import("koffi");
    const libc = koffi.load(null);
    return {
      socket: libc.func("int socket(int, int, int)") as Calls["socket"],
      bind: libc.func("int bind(int, const void *, uint32_t)") as Calls["bind"],
      send: libc.func("intptr_t send(int, const void *, size_t, int)") as Calls["send"],
      recv: libc.func("intptr_t recv(int, _Out_ uint8_t *, size_t, int)") as Calls["recv"],
      close: libc.func("int close(int)") as Calls["close"],
    };
  } catch {
    return "asking neighbours needs koffi (npm install koffi@3.3.4)";
  }
}
