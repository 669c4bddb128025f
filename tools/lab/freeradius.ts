/** Debian's FreeRADIUS as a realserver: accepts everybody whose password is `secret`, and says who it is. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, type Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Host } from "./topology.ts";

export const AUTHENTICATION_PORT = 1812;
export const ACCOUNTING_PORT = 1813;
export const SECRET = "testing123";

/** `name` is the Reply-Message of all that it answers; `client` is who may ask. */
export async function startFreeradius(sandbox: Sandbox, host: Host, name: string, client: string): Promise<Running> {
  const folder = sandbox.path(name);
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const subject = ["-days", "2", "-subj", "/CN=radius.example"];
  await must([
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    key,
    "-out",
    certificate,
    ...subject,
  ]);
  writeFileSync(join(folder, "dictionary"), "$INCLUDE /usr/share/freeradius/dictionary\n");
  writeFileSync(join(folder, "radiusd.conf"), configuration(folder, name, client));
  const server = host.start(["freeradius", "-f", "-l", "stdout", "-d", folder, "-n", "radiusd"]);
  await server.until(() => server.stdout.includes("Ready to process requests"), "ready");
  return server;
}

/** Its parser wants each item on a line of its own. */
const configuration = (folder: string, name: string, client: string): string => `
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = ${folder}
run_dir = ${folder}
logdir = ${folder}
pidfile = ${folder}/pid
max_requests = 16384
security {
  reject_delay = 0
  status_server = yes
}
client director {
  ipaddr = ${client}
  secret = ${SECRET}
}
modules {
  always ok {
    rcode = ok
  }
  pap {
  }
  eap {
    default_eap_type = ttls
    timer_expire = 60
    tls-config tls-common {
      private_key_file = ${folder}/key.pem
      certificate_file = ${folder}/certificate.pem
      ca_file = ${folder}/certificate.pem
      cipher_list = "DEFAULT"
      tls_min_version = "1.2"
      tls_max_version = "1.2"
    }
    ttls {
      tls = tls-common
      virtual_server = inner
    }
  }
}
server default {
  listen {
    type = auth
    ipaddr = *
    port = ${AUTHENTICATION_PORT}
  }
  listen {
    type = acct
    ipaddr = *
    port = ${ACCOUNTING_PORT}
  }
  authorize {
    update control {
      Cleartext-Password := "secret"
    }
    update reply {
      Reply-Message := "${name}"
    }
    eap {
      ok = return
    }
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
    eap
  }
  accounting {
    update reply {
      Reply-Message := "${name}"
    }
    ok
  }
}
server inner {
  authorize {
    update control {
      Cleartext-Password := "secret"
    }
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
  }
}
`;
