/**
 * RADIUS: Status-Server (RFC 5997), with a Message-Authenticator (RFC 3579 §3.2). An answer counts when its authenticator
 * proves that who gave it has the secret.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type Check, GOOD, NO_SECRET } from "./check.ts";
import { readSecret } from "./secret.ts";
import { ask } from "./udp.ts";

const STATUS_SERVER = 12;
const HEADER = 20;
const MESSAGE_AUTHENTICATOR = 80;
/** Access-Accept of an authentication port, Accounting-Response of an accounting port. */
const ACCEPTS: readonly number[] = [2, 5];

export const radius: Check = async (target, signal) => {
  const secret = await readSecret(target.check.secretFile!);
  if (secret === null) return NO_SECRET;
  const request = statusServer(secret);
  return ask(target, signal, {
    message: request,
    heard: (answer) => {
      if (answer.length < HEADER || answer[1] !== request[1]) return undefined;
      const length = answer.readUInt16BE(2);
      if (length < HEADER || length > answer.length) return "not-radius";
      if (!isFrom(answer.subarray(0, length), request, secret)) return "wrong-authenticator";
      return ACCEPTS.includes(answer[0]!) ? GOOD : `code-${answer[0]}`;
    },
  });
};

function statusServer(secret: string): Buffer {
  const request = Buffer.alloc(HEADER + 18);
  const random = randomBytes(17);
  request[0] = STATUS_SERVER;
  request[1] = random[16]!;
  request.writeUInt16BE(request.length, 2);
  random.copy(request, 4, 0, 16);
  request[HEADER] = MESSAGE_AUTHENTICATOR;
  request[HEADER + 1] = 18;
  createHmac("md5", secret)
    .update(request)
    .digest()
    .copy(request, HEADER + 2);
  return request;
}

/** RFC 2865 §3: MD5 over the answer with the request's authenticator in place of its own, and the secret. */
function isFrom(answer: Buffer, request: Buffer, secret: string): boolean {
  const digest = createHash("md5")
    .update(answer.subarray(0, 4))
    .update(request.subarray(4, HEADER))
    .update(answer.subarray(HEADER))
    .update(secret)
    .digest();
  return timingSafeEqual(digest, answer.subarray(4, HEADER));
}
