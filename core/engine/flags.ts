/**
 * What a process that runs the engine tells V8 before the engine is compiled (`v8.setFlagsFromString`, or on the command
 * line). V8 inlines callees of 920 bytes of bytecode in all; the path of a packet is small functions, and longer than
 * that: with this it takes a fifth less time.
 *
 * Functions that are longer than V8 inlines are fields of their class, not methods: `readonly f = () => {}`. A closure that
 * was made once has one `this`, whose fields V8 then takes for constants, arrays of the table included; a method's `this`
 * is read anew at each step. So do fields that are written once only: one that is declared and then assigned in the constructor
 * is written twice (`undefined` is first), and is no constant. Therefore `declare`, which makes no field, and no `#`, which
 * must make one. With a second engine in a process both are methods again, and as slow.
 */
export const v8Flags = ["--max-inlined-bytecode-size-cumulative=4000"] as const;
