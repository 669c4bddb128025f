/** What is put into messages that are changed: lengths, counts, separators, and what matters to one protocol or other. */
export const PIECES: readonly string[] = [
  ...["\0", "\x01", "\xff", "\0\0", "\xff\xff", "\0\x01", "\x10\0", "\0\0\0\x01", "\xc0\x0c", "\x80\0\0\0"],
  ...["\r\n", "\n", "\r", "\r\n\r\n", ";", ",", "=", ":", " ", "-", "\t", '"'],
  ...["0", "1", "00", "80", "1023", "1024", "65535", "65536", "99999", "4294967297"],
  ...["$\0\xff\xff", "$\0\0\x04", "10.9.9.9", "10.0.0.5", "192.168.0.2", "::1", "\\UDP\\", "\x0a\x09\x09\x09"],
  ...[
    "Transport: ",
    "RTP/AVP;unicast;client_port=5000-5001",
    ";server_port=6970-6971",
    "CSeq: 1\r\n",
    "Session: 7\r\n",
  ],
  ...["Content-Length: 99999\r\n", "Content-Length: 0\r\n", "l: 1\r\n", "m=audio 5000 RTP/AVP 0\r\n", "a=rtcp:22\r\n"],
  ...["INVITE ", "BYE ", "SETUP ", "TEARDOWN ", "PNA\0", "MMS ", "octet\0", "USERID", "\x07\0\0\0"],
];
