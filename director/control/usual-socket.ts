/** Where directors that were told nothing have their socket, and who operates one looks for it. */
import { tmpdir } from "node:os";
import { join } from "node:path";

const SOCKET = "kindred.sock";

export function usualSocket(env: NodeJS.ProcessEnv = process.env): string {
  const { RUNTIME_DIRECTORY: service, XDG_RUNTIME_DIR: user } = env;
  if (service) return join(service, SOCKET);
  const uid = process.getuid?.() ?? 0;
  if (uid === 0 && process.getuid !== undefined) return `/run/kindred/${SOCKET}`;
  return join(user || join(tmpdir(), `kindred-${uid}`), SOCKET);
}
