import type { Farm } from "../topology.ts";
import { FTP_PORT } from "../vsftpd.ts";

/** The director's configuration for FTP before all realservers of a farm. */
export const ftpService = (farm: Farm): object => ({
  services: [
    {
      name: "ftp",
      vip: farm.vip,
      ports: [`tcp/${FTP_PORT}`],
      helper: "ftp",
      scheduler: "rr",
      realservers: farm.targets,
    },
  ],
  log: { level: "info", format: "json" },
});
