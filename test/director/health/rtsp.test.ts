import t from "tap";
import { asked, refusals, server } from "./asked.ts";

refusals(t, "kind: rtsp");

const says = async (text: string, heard: string[] = []) => {
  const port = await server(
    t,
    (socket) =>
      void socket.on("data", (chunk) => {
        heard.push(String(chunk));
        socket.write(text);
      }),
  );
  return asked(port, "kind: rtsp");
};

t.test("a server that answers OPTIONS with 200 serves", async (t) => {
  const heard: string[] = [];
  t.equal(await says("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", heard), null);
  t.match(heard.join(""), /^OPTIONS \* RTSP\/1\.0\r\nCSeq: 1\r\n.*\r\n\r\n$/);
});

t.test("another status is told, and another protocol", async (t) => {
  t.equal(await says("RTSP/1.0 503 Service Unavailable\r\n\r\n"), "status-503");
  t.equal(await says("HTTP/1.1 200 OK\r\n\r\n"), "not-rtsp");
  t.equal(await says("RTSP/1.0 2x0 OK\r\n"), "not-rtsp");
  t.equal(await says("RTSP/1.0\r\n 200 OK\r\n"), "not-rtsp");
});
