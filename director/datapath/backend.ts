/** Which backend the socket path stands on. */
import type { Config } from "../config.ts";
import { EpollBackend } from "./transport/epoll/epoll.ts";
import { NetBackend } from "./transport/net/net.ts";
import type { Backend } from "./transport.ts";

/** The backend that was asked for cannot be had. */
export class BackendError extends Error {
  override readonly name = "BackendError";
}

/** Throws a BackendError. */
export async function chooseBackend(choice: Config["backend"]): Promise<Backend> {
  if (choice === "net") return new NetBackend();
  const epoll = await EpollBackend.load();
  if (typeof epoll !== "string") return epoll;
  if (choice === "auto") return new NetBackend();
  throw new BackendError(`backend: epoll cannot be had: ${epoll}`);
}
