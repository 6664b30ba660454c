/** Options of the chart as fields that follow signals. */

import { make } from "../../base/elements.js";
import { bind } from "../../base/live.js";

/**
 * @param {string} words
 * @param {import("@preact/signals-core").Signal<boolean>} isOn
 * @param {string | false} [title]
 */
export function makeTick(words, isOn, title = false) {
	const box = make("input", { type: "checkbox", onchange: () => (isOn.value = box.checked) });
	bind(box, () => ({ checked: isOn.value }));
	return make("label", { class: "chart-tick", title }, box, make("span", {}, words));
}

/**
 * A list of choices with its label before it.
 * @param {string} label
 * @param {readonly string[]} values
 * @param {(value: string) => string} nameOf
 * @param {(value: string) => void} choose
 */
export function makeChoice(label, values, nameOf, choose) {
	const list = make("select", { onchange: () => choose(list.value) });
	list.append(...values.map((value) => new Option(nameOf(value), value)));
	return { list, field: make("label", { class: "chart-field" }, make("span", {}, label), list) };
}
