/** Series from files, shown with those of layers until the page is closed. */
import { signal } from "../vendor/signals-core.js";

/** @typedef {import("./formats/measured.js").Measured} Measured */

export const measured = signal(/** @type {Measured[]} */ ([]));

/** Adds series; those of equal names are replaced. @param {Measured[]} more */
export function addMeasured(more) {
	const names = new Set(more.map(({ name }) => name));
	measured.value = [...measured.peek().filter(({ name }) => !names.has(name)), ...more];
}
