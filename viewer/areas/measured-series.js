/** Series from files that are looked at beside those of layers, for as long as the page is open. */
import { signal } from "../vendor/signals-core.js";

/** @typedef {import("./formats/measured.js").Measured} Measured */

export const measured = signal(/** @type {Measured[]} */ ([]));

/** Takes series up, in place of those of the same names. @param {Measured[]} more */
export function addMeasured(more) {
	const names = new Set(more.map(({ name }) => name));
	measured.value = [...measured.peek().filter(({ name }) => !names.has(name)), ...more];
}
