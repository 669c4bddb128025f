/**
 * Where what is in the memory that `assembly/` and the rest of the replay share, in bytes. Both languages read this file: a
 * number that is more than that would be another type in each.
 */

/** Words that one side tells the other. How many rows there are, and where the first is. */
export const COUNT = 0;
export const ROWS = 4;
/** Which end sent the packet whose flow was found last: `A` or `B`. */
export const SENDER = 8;
/** Of the packet that `skim` stopped at: its row, or -1 where the long way has to go from the start; where what is. */
export const FOUND = 12;
export const TRANSPORT = 16;
export const STOP = 20;
export const WIRE_END = 24;
/** 64 bits that nobody else knows. */
export const SEED = 32;
/** The flow that is looked for, as in core/flow/key.ts. */
export const WANTED = 64;
/** Of an IPv6 packet, both addresses: eight words. */
export const ENDS = 128;

/** The records that `skim` takes: where the next one is, and where the bytes end that are there. */
export const AT = 160;
export const END = 164;
/** The record that it took last; how many there were, and how many bytes their frames had. */
export const RECORD = 168;
export const FRAMES = 172;
export const CAPTURED = 176;
/** What they are like: `PCAP` or `PCAPNG`, 1: in network byte order, and of which interface those of pcapng have to be. */
export const FORMAT = 180;
export const BIG = 184;
export const INTERFACE = 188;
/** 64-bit floats: how their times are counted, and from when on. */
export const TICKS_PER_SECOND = 192;
export const OFFSET = 200;
/** What was read for its being fetched only: no number that anybody needs. */
export const FETCHED = 208;

export const PCAP = 0;
export const PCAPNG = 1;

/** Words up to here. */
export const WORDS_END = 1024;

/** By the first byte that is said, 1: may a helper know its protocol by that? */
export const TELLING_OF_TCP = 4096;
export const TELLING_OF_UDP = 4352;
/** What `assembly/packets.ts` reads ahead. */
export const PACKETS = 8192;

/** By port, 1: may datagrams carry packets; is a helper bound to it? */
export const TUNNEL = 65536;
export const BOUND_OF_TCP = 131072;
export const BOUND_OF_UDP = 196608;

/** By port, or by the lower half of what `between` gives, 1: `assembly/rows.ts` looks for rows that have it. */
export const LOOKED_FOR = 262144;

/** The bytes of the file: a chunk of it and the longest block, twice. Memory that nobody writes to is none. */
export const BYTES = 327680;
export const BYTES_LENGTH = 34603008;

/** From here on: the hash table's slots, then the rows. It grows. */
export const TABLE = 34930688;
/** At first; a power of two. */
export const SLOTS = 4096;

/** A row, two cache lines: what every packet of IPv4 reads and writes is the second. */
export const ROW = 128;
/** A 64-bit float, as are OCTETS and both LAST_TIME. */
export const FIRST_TIME = 0;
export const FIRST_FRAME = 8;
/** Initial sequence number of whoever opened; the number that a repeated SYN has, and a new connection's has not. */
export const INITIAL = 12;
/** Who listened, and `OPENED`, `RENEWED`. */
export const LISTENER = 16;
/** Sequence number of the first large payload of each, where FLAGS says that there was one; of its SYN before. */
export const LARGE_OF_A = 20;
export const LARGE_OF_B = 24;
/** The key, with `A` as the source. Its last four words begin the second line. */
export const KEY = 40;
export const FRAMES_OF_A = 80;
export const FRAMES_OF_B = 84;
export const LAST_FRAME = 88;
export const FLAGS = 92;
export const OCTETS = 96;
export const LAST_TIME_OF_A = 104;
export const LAST_TIME_OF_B = 112;
export const MARK = 120;
/** Sequence number of the payload that was sent last, by either end. */
export const SEQUENCE = 124;

/** In FLAGS, beside those of both: `A` has sent a large payload. The next bit is of `B`. */
export const LARGE = 0x10000;
/** Payloads that are no larger pass everywhere: every link of IPv6 carries more (RFC 8200 §5: 1280 bytes, less the headers). */
export const SMALL = 1220;

/** In LISTENER, beside the end: INITIAL is known; a newer row has the same key. */
export const LISTENER_MASK = 3;
export const OPENED = 4;
export const RENEWED = 8;

/** Which end of a flow; the lower one is `A`. */
export const UNKNOWN = 0;
export const A = 1;
export const B = 2;

/** MARK of a flow that nothing is known of yet. */
export const UNSEEN = 0;
/** Of a control connection. */
export const CONTROL = 1;
/** Of one whose packets are counted, and not looked at. */
export const COUNTED = 2;
/** No helper is bound to its ports: what is said first tells what it is, and nothing was said yet. */
export const SILENT = 3;
