/** What readers of a line of FTP stumble over, and pieces of what matters: put into lines and dialogues that are changed. */
export const PIECES: readonly string[] = [
  ...["\0", "\r", "\n", "\r\n", ",", ",,", " ", "\t", "\v", "\f", "+", "-", "|", "|||", "(", ")"],
  ...["\xff\xf4", "\xff\xf2", "\xff\xff", "\xff\xfa", "\xff\xfb", "\xff\xfb\x01"],
  ...["0", "00", "255", "256", "999", "65536", "4294967297"],
  ...["227 ", "227-", "229 ", "228 ", "220 ", "150-", "425 ", "PASV", "EPSV", "PORT ", "EPRT "],
  ...["EPSV ALL\r\n", "AUTH TLS\r\n", "234 ok\r\n"],
  ...["192,168,0,2,19,137", "10,0,0,5,4,1", "10,9,9,9,4,1", "(1,2,3,4,5,6)", "|||5000|", "|1|10.9.9.9|5000|"],
  ...["\x16\x03\x01", "\x16\x03\x03\0\x05"],
];
