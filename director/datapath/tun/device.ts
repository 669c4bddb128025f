/** A TUN device: IP packets of the kernel, each behind a header that says what is left to do for it (virtio_net_hdr). */
import { closeSync, constants, openSync } from "node:fs";
import { reasonOf } from "../libc.ts";
import * as tun from "./calls.ts";
import { PathError } from "./error.ts";

export interface TunDevice {
  readonly name: string;
  readonly fd: number;
}

/** How much the kernel may leave to us: nothing, TCP segments as one, or UDP datagrams too. */
export type Offload = "none" | "tcp" | "all";

const DEVICE = "/dev/net/tun";
const IFREQ = 40;
const IFNAMSIZ = 16;

/** Makes the device `name`, which lives as long as it is open. Throws a PathError. */
export function openTun(calls: tun.Calls, name: string, offload: Offload): TunDevice {
  const fd = openDevice();
  const request = calls.memory(IFREQ);
  request.bytes.fill(0);
  request.bytes.write(name, 0, IFNAMSIZ - 1, "latin1");
  request.bytes.writeUInt16LE(tun.IFF_TUN | tun.IFF_NO_PI | tun.IFF_VNET_HDR, IFNAMSIZ);
  if (calls.ioctl(fd, tun.TUNSETIFF, request.at) < 0) {
    const reason = reasonOf(calls.errno());
    closeSync(fd);
    throw new PathError(`device ${name}: ${reason}`, REMEDIES[reason] ?? "nothing was changed");
  }
  takeOffload(calls, fd, offload);
  return { name, fd };
}

function openDevice(): number {
  try {
    return openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new PathError(`${DEVICE}: ${code}`, REMEDIES[code] ?? "nothing was changed");
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: "run as root, or with CAP_NET_ADMIN and /dev/net/tun readable and writable",
  EPERM: "run as root, or with CAP_NET_ADMIN in this network namespace",
  ENOENT: "`modprobe tun`; in a container, give it the device (--device /dev/net/tun)",
  ENODEV: "`modprobe tun`; the kernel was built without it otherwise",
  EBUSY: "another program has a device of that name: `ip -details link show type tun`",
};

/** From now on. What the kernel does not know (USO, before 6.2) it is not asked for. */
export function takeOffload(calls: tun.Calls, fd: number, offload: Offload): void {
  if (offload === "none") {
    calls.ioctl(fd, tun.TUNSETOFFLOAD, 0);
    return;
  }
  if (offload === "all" && calls.ioctl(fd, tun.TUNSETOFFLOAD, tun.TUN_F_TCP | tun.TUN_F_USO) === 0) return;
  calls.ioctl(fd, tun.TUNSETOFFLOAD, tun.TUN_F_TCP);
}
