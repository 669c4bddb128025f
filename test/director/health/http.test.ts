import t from "tap";
import { asked, refusals, server } from "./asked.ts";

refusals(t, "kind: http");

const says = async (text: string, check = "kind: http", heard: string[] = []) => {
  const port = await server(
    t,
    (socket) =>
      void socket.on("data", (chunk) => {
        heard.push(String(chunk));
        socket.write(text);
      }),
  );
  return asked(port, check);
};

t.test("a server that answers GET with 200 serves", async (t) => {
  const heard: string[] = [];
  t.equal(await says("HTTP/1.1 200 OK\r\n\r\n", "kind: http", heard), null);
  t.match(heard.join(""), /^GET \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1\r\n.*\r\n\r\n$/s);
});

t.test("path, host and status are what is said", async (t) => {
  const heard: string[] = [];
  const check = "kind: http, path: /up?x=1, host: www.example.net, status: 204";
  t.equal(await says("HTTP/1.0 204 No Content\r\n\r\n", check, heard), null);
  t.match(heard.join(""), /^GET \/up\?x=1 HTTP\/1\.1\r\nHost: www\.example\.net\r\n/);
  t.equal(await says("HTTP/1.1 200 OK\r\n\r\n", check), "status-200");
});

t.test("another status is told, and another protocol", async (t) => {
  t.equal(await says("HTTP/1.1 503 Service Unavailable\r\n\r\n"), "status-503");
  t.equal(await says("220 ftp.example.net\r\n"), "not-http");
});
