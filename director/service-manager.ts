/** What systemd is told of a director that it started (sd_notify(3)). */
import { spawn } from "node:child_process";
import type { Log } from "./log.ts";

/**
 * Where there is a manager that wants to know. By systemd-notify(1): Node has no datagrams over unix sockets. A manager
 * that waits for it in vain ends the director: that it could not be told is an error in the log.
 */
export function tellManager(state: "READY=1" | "STOPPING=1", log: Log, env: NodeJS.ProcessEnv = process.env): void {
  if (env["NOTIFY_SOCKET"] === undefined) return;
  const failed = (reason: string): void => log("error", "manager-not-told", { state, reason });
  const child = spawn("systemd-notify", [`--pid=${process.pid}`, state], { stdio: "ignore", env });
  child.once("error", ({ message }) => failed(message));
  child.once("exit", (code) => {
    if (code !== 0) failed(`systemd-notify exited with ${code}`);
  });
}
