// No order above what its client may order, as ../rust says it: the claim `limit`, or else `limit` of the configuration. What is sent
// to clients is not looked at, and orders of a tenth of the limit and less get `"checked":true`.

import { claims } from "wicketgate:policy/session@1.0.0";
import { value } from "wicketgate:policy/config@1.0.0";
import { write } from "wicketgate:policy/log@1.0.0";

export function judge(direction, data, kind, payload) {
    if (direction === "to-client" || kind !== "order") return { tag: "pass" };
    // Where it throws, its session ends with 1011: whatever cannot be judged does not pass.
    const order = JSON.parse(text(payload));
    const { amount } = order;
    if (typeof amount !== "number") return refuse("no-amount");
    const own = JSON.parse(claims()).limit;
    const limit = typeof own === "number" ? own : Number(value("limit") ?? 0);
    if (!(amount >= 0 && amount <= limit)) {
        write("info", `an order of ${amount}, and the limit is ${limit}`);
        return refuse("above-limit");
    }
    if (amount > limit / 10) return { tag: "tag", val: ["large-order"] };
    return { tag: "edit", val: [{ path: "checked", change: { tag: "put", val: { tag: "boolean", val: true } } }] };
}

function refuse(reason) {
    return { tag: "refuse", val: { reason, code: 4409 } };
}

// QuickJS has no TextDecoder.
function text(bytes) {
    let units = "";
    for (let at = 0; at < bytes.length; at += 4096) {
        units += String.fromCharCode.apply(null, bytes.subarray(at, at + 4096));
    }
    return /[\x80-\xff]/.test(units) ? decodeURIComponent(escape(units)) : units;
}
