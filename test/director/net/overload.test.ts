/** The same on Node's `net`, wherever that is not what `auto` takes. */
import { onlyOnNet } from "../net.ts";

await onlyOnNet(() => import("../overload.test.ts"));
