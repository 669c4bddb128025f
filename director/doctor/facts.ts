/** What the doctor looks at, and nothing of what it thinks of it. */
import type { NftChain } from "./nft.ts";

export interface Device {
  readonly name: string;
  readonly index: number;
  readonly up: boolean;
  /** It has neighbours that ask by ARP. */
  readonly arp: boolean;
  readonly mtu: number;
  /** `ether`, `loopback`, `ipip`, `tunnel6`, `none`. */
  readonly type: string;
  /** Hardware address; empty where there is none. */
  readonly hardware: string;
  /** The bridge or bond that it belongs to. */
  readonly master: string | null;
  /** As text. */
  readonly addresses: readonly string[];
}

export interface Way {
  readonly device: string;
  /** null: on the same network. */
  readonly via: string | null;
  readonly mtu: number | null;
}

/** One answer to an ARP request. */
export interface ArpAnswer {
  readonly device: string;
  readonly hardware: string;
}

export interface Facts {
  readonly devices: readonly Device[];
  /** Of /proc/sys, by its key with dots, devices in it as they are called. What is not there is not in it. */
  readonly settings: ReadonlyMap<string, number>;
  /** To realservers and, from realservers, to clients: by the address asked for; null: none. */
  readonly ways: ReadonlyMap<string, Way | null>;
  /** Addresses that are this host's own by a route alone. */
  readonly localRoutes: readonly string[];
  readonly chains: readonly NftChain[];
  /** Entries of conntrack for a VIP whose reply comes from somebody else. */
  readonly translated: ReadonlyMap<string, number>;
  /** Who answers for VIPs and for realservers, this host not counted. */
  readonly answers: ReadonlyMap<string, readonly ArpAnswer[]>;
  readonly privileges: Privileges;
  /** What could not be looked at, a sentence each. */
  readonly unseen: readonly string[];
}

export interface Privileges {
  readonly netAdmin: boolean;
  readonly bindService: boolean;
  /** The first port that needs none. */
  readonly firstFreePort: number;
  /** Whether /dev/net/tun can be opened. */
  readonly tun: boolean;
}

/** `all` or the device's own, whichever is more: so the kernel reads rp_filter, arp_ignore and arp_announce. */
export const effective = ({ settings }: Facts, device: string, name: string): number =>
  Math.max(settings.get(`net.ipv4.conf.all.${name}`) ?? 0, settings.get(`net.ipv4.conf.${device}.${name}`) ?? 0);

/** The device that has the address. */
export const ownerOf = ({ devices }: Facts, address: string): Device | null =>
  devices.find(({ addresses }) => addresses.includes(address)) ?? null;

export const isLocal = (facts: Facts, address: string): boolean =>
  ownerOf(facts, address) !== null || facts.localRoutes.includes(address);

/** Devices that neighbours ask. */
export const onWire = ({ devices }: Facts): readonly Device[] =>
  devices.filter(({ up, arp, master }) => up && arp && master === null);
