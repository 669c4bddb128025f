/** The kinds of health checks, and what each is told beside what all are. */
import type { CheckKind } from "./types.ts";

type Option = "login" | "secretFile" | "path" | "host" | "status" | "zone" | "authority" | "command";

/** What is asked of each kind beside what all have. */
export const checkOptions: Readonly<
  Record<CheckKind, { readonly needs?: readonly Option[]; readonly takes?: readonly Option[] }>
> = {
  tcp: {},
  ftp: { takes: ["login", "secretFile"] },
  rtsp: {},
  radius: { needs: ["secretFile"] },
  xdmcp: {},
  tftp: {},
  http: { takes: ["path", "host", "status"] },
  dns: { needs: ["zone"], takes: ["authority"] },
  script: { needs: ["command"] },
};

export const checkKinds = Object.keys(checkOptions) as CheckKind[];
