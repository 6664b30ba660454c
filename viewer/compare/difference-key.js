/** The legend of a difference: its name, its colours, and the editable range. */

import { yearOf } from "../base/dates.js";
import { make, makeIconButton } from "../base/elements.js";
import { text } from "../base/text.js";
import { whenText } from "../base/when.js";
import { computed, effect } from "../vendor/signals-core.js";
import { areYearsApart } from "./offset.js";
import { differenceRange, inOrder, shownDifference } from "./second-side.js";

/** @typedef {import("../base/state.js").Side} Side */

/** Names of both terms: `2024 − 2023`; dates unless they are the same day of two years, and layers if these differ. */
export const differenceWords = computed(() => {
	if (!inOrder.value) return "";
	const { later, earlier } = inOrder.value;
	const [to, from] = [later.instant.value?.ms, earlier.instant.value?.ms];
	const isYears = to !== undefined && from !== undefined && areYearsApart(from, to);
	const isOther = later.layer.value?.id !== earlier.layer.value?.id;
	const nameOf = (/** @type {Side} */ side) => {
		const { layer, instant } = side;
		const isYear = isYears && !side.isUsual.value;
		const words = instant.value && !isYear ? whenText(instant.value, side.timeDomain.value.periods, "short") : "";
		const date = instant.value && isYear ? String(yearOf(instant.value.ms)) : words;
		return [...(isOther ? [layer.value?.title] : []), ...(isOther && to === from ? [] : [date])]
			.filter(Boolean)
			.join(", ");
	};
	return [later, earlier].map(nameOf).join("\u00a0−\u00a0");
});

/** The legend of the current difference; null if there is none. */
export const differenceKey = computed(() => {
	const style = shownDifference.value;
	if (!style) return null;
	const of = inOrder.value?.later.layer.value;
	const isOther = of?.id !== inOrder.value?.earlier.layer.value?.id;
	return {
		title: isOther ? differenceWords.value : `${of?.title}: ${differenceWords.value}`,
		style,
		swatches: [{ label: text("value.noData"), rgba: null }],
		ends: /** @type {[string, string]} */ ([text("compare.less"), text("compare.more")]),
	};
});

/** Changes the range of the colours. @type {import("../layers/key.js").Render} */
export function renderReach(host) {
	const input = make("input", { type: "number", min: 0, step: "any" });
	const reset = makeIconButton("reset", text("compare.reachReset"), () => {
		differenceRange.value = null;
	});
	input.addEventListener("change", () => {
		const reach = Math.abs(Number(input.value));
		differenceRange.value = reach > 0 && Number.isFinite(reach) ? [-reach, reach] : null;
	});
	const label = make("label", {}, make("span", {}, text("compare.reach")), "±", input);
	host.append(make("div", { class: "difference-reach" }, label, reset));
	return effect(() => {
		if (document.activeElement !== input) input.value = String(Number(shownDifference.value?.range[1].toPrecision(6)));
		reset.disabled = differenceRange.value === null;
	});
}
