/** The panel of layers: choice of the layer, its colours and opacity, and additional layers. */

import { until } from "../base/delays.js";
import { make } from "../base/elements.js";
import { startPart } from "../base/parts.js";
import { chooseLayer, extras, sideA } from "../base/state.js";
import { text } from "../base/text.js";
import { makeLayerChoice, makeLayerTools } from "./layer-list.js";
import { renderLegend } from "./legend.js";

/** @param {HTMLElement} root */
export function startPanel(root) {
	const legend = make("div", { id: "legend-body" });
	const others = make("section", { id: "extras", hidden: true });
	const choice = makeLayerChoice({
		id: "layer",
		sideOf: () => sideA,
		choose: ({ id }) => chooseLayer(id),
		add: (of) => void showBeside(of),
	});
	root.replaceChildren(
		make("section", { class: "layer-choice-part" }, ...choice, makeLayerTools()),
		make("section", { "aria-label": text("legend.title") }, legend),
		others,
	);
	renderLegend(sideA, legend);
	void until(() => extras.value.length > 0).then(() =>
		startPart("extras list", async () => (await import("./extras-list.js")).startExtrasList(others)),
	);
	root.dataset.ready = "";
}

/** @param {import("../base/api.js").Layer} of */
const showBeside = (of) =>
	startPart("extras", async () => {
		const { addExtra, startExtras } = await import("./extras.js");
		startExtras();
		addExtra(of);
	});
