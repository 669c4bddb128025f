/** The flows of every capture of the development set, by innermost headers, against its truth. */
import t from "tap";
import { helpers } from "../../helpers/index.ts";
import { bind } from "../../tools/replay/bindings.ts";
import { readCapture } from "../../tools/replay/file.ts";
import { A, B } from "../../tools/replay/flows.ts";
import { type Bindings, Tracker } from "../../tools/replay/tracker.ts";
import { captureEntries, captureName, capturePath, capturesMissing, truthOf } from "../captures.ts";

/** README.md lists what is not read by the same names. */
const UNREAD: Readonly<Record<string, string>> = {
  "ctr-solaris-snoop.snoop": "a snoop file",
  "rtsp-panw-knoxville-ppp.pcap": "a pppdump file",
  "rtsp-panw-m20100301-ppp.pcap": "a pppdump file",
  "rtsp-panw-m20100303-ppp.pcap": "a pppdump file",
  "ctr-libpcap-ppi-http.pcap": "link type PPI",
  "ctr-moloch-80211-http.pcap": "link type IEEE802_11_RADIO",
  "ctr-packetnet-80211-qos.pcap": "link type IEEE802_11_RADIO",
  "ctr-zeek-radiotap.pcap": "link type IEEE802_11_RADIO",
  "ctr-tcpdump-arcnet-rfc1051.pcap": "link type ARCNET_LINUX",
  "ctr-tcpdump-arcnet-rfc1201.pcap": "link type ARCNET_LINUX",
  "ctr-tcpdump-pktap.pcap": "link type PKTAP",
  "ctr-zeek-ayiya3.pcap": "an AYIYA tunnel",
  "ctr-zeek-pbb-recursive.pcapng": "more tags than are followed",
  "ctr-tcpdump-bigtcp-ipv6.pcap": "a jumbogram without its option, which we read and the truth does not",
};

/** Pairs of ends, however often they were used again. */
async function flowsIn(path: string) {
  const tracker = new Tracker(bind(helpers, []) as Bindings, helpers);
  await readCapture(path, (async function* () {})(), tracker, () => {});
  const { flows } = tracker;
  const found = { tcp_flows: new Set<string>(), udp_flows: new Set<string>() };
  for (let row = 0; row < flows.count; row++) {
    const ends = ([A, B] as const).map((end) => `${flows.address(row, end)} ${flows.port(row, end)}`);
    found[flows.isTcp(row) ? "tcp_flows" : "udp_flows"].add(ends.join(" - "));
  }
  return { tcp_flows: found.tcp_flows.size, udp_flows: found.udp_flows.size };
}

t.test("as many TCP and UDP flows as the truth has are found", { skip: capturesMissing }, async (t) => {
  for (const entry of captureEntries()) {
    const name = captureName(entry);
    t.test(name, { skip: UNREAD[name] ?? false }, async (t) => {
      const { tcp_flows, udp_flows } = truthOf(entry).summary;
      t.same(await flowsIn(capturePath(entry)), { tcp_flows, udp_flows });
    });
  }
});
