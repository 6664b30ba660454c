/** Starts the viewer: controls of the panel, notices, the status line, and the link in the address bar. */
import { formatDate } from "./dates.js";
import { startLegend } from "./legend.js";
import { centreOf, startMap } from "./map.js";
import { onAddressChange, readAddress, writeAddress } from "./permalink.js";
import {
	applyMapLink,
	BACKGROUNDS,
	background,
	catalogue,
	chooseLayer,
	choosePoint,
	chooseStyle,
	dismiss,
	followLink,
	layer,
	layers,
	link,
	notices,
	notify,
	opacity,
	openCatalogue,
	overlay,
	point,
	reportFaults,
	shownDate,
	style,
	tileProgress,
	timeDomain,
	zoomToLayer,
} from "./state.js";
import { text } from "./text.js";
import { startTimeline } from "./timeline.js";
import { effect } from "./vendor/signals-core.js";

const LINK_WAIT_MS = 300;

/** @typedef {import("./api.js").Layer} Layer */

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
function byId(id, type) {
	const element = document.getElementById(id);
	if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
	return element;
}

/** @param {{ id: string, title: string }[]} entries */
const toOptions = (entries) => entries.map(({ id, title }) => new Option(title, id));

/** The layers under the names of their collections, when there are several. @param {Layer[]} all */
function layerOptions(all) {
	const collections = [...new Set(all.map(({ collection }) => collection))];
	if (collections.length < 2) return toOptions(all);
	return collections.map((collection) => {
		const group = document.createElement("optgroup");
		group.label = collection;
		group.append(...toOptions(all.filter((each) => each.collection === collection)));
		return group;
	});
}

/** What a list takes beside its text: its padding, and the arrow. */
const SELECT_FRAME_PX = 40;

/** Writes what is chosen in a list below it where the list itself cuts it off. @param {HTMLSelectElement} select @param {HTMLElement} whole */
function tellWhole(select, whole) {
	const canvas = document.createElement("canvas").getContext("2d");
	const tell = () => {
		const chosen = select.selectedOptions[0]?.label ?? "";
		select.title = chosen;
		if (canvas) canvas.font = getComputedStyle(select).font;
		const width = canvas?.measureText(chosen).width ?? 0;
		whole.textContent = width + SELECT_FRAME_PX > select.clientWidth ? chosen : "";
		whole.hidden = whole.textContent === "";
	};
	new ResizeObserver(tell).observe(select);
	return tell;
}

function startLayerControls() {
	const layerSelect = byId("layer", HTMLSelectElement);
	const styleSelect = byId("style", HTMLSelectElement);
	const tellLayer = tellWhole(layerSelect, byId("layer-whole", HTMLElement));
	const tellStyle = tellWhole(styleSelect, byId("style-whole", HTMLElement));
	layerSelect.addEventListener("change", () => chooseLayer(layerSelect.value));
	styleSelect.addEventListener("change", () => chooseStyle(styleSelect.value));
	byId("zoom-button", HTMLButtonElement).addEventListener("click", () => zoomToLayer());
	effect(() => {
		const all = layers.value;
		const now = layer.value;
		// A link may name a layer that answers but is not listed.
		layerSelect.replaceChildren(...layerOptions(now && !all.includes(now) ? [now, ...all] : all));
		layerSelect.value = now?.id ?? "";
		layerSelect.disabled = all.length === 0;
		tellLayer();
		byId("layer-times", HTMLElement).textContent = now ? extentInTime(now) : "";
	});
	effect(() => {
		const styles = layer.value?.styles ?? [];
		styleSelect.replaceChildren(...toOptions(styles));
		styleSelect.value = style.value;
		byId("style-field", HTMLElement).hidden = styles.length < 2;
		tellStyle();
	});
}

function startDisplayControls() {
	const backgroundSelect = byId("background", HTMLSelectElement);
	const opacityRange = byId("opacity", HTMLInputElement);
	const overlayBox = byId("overlay", HTMLInputElement);
	backgroundSelect.replaceChildren(...toOptions(BACKGROUNDS));
	backgroundSelect.addEventListener("change", () => {
		background.value = backgroundSelect.value;
		dismiss("background");
	});
	opacityRange.addEventListener("input", () => {
		opacity.value = Number(opacityRange.value) / 100;
	});
	overlayBox.addEventListener("change", () => {
		overlay.value = overlayBox.checked;
	});
	effect(() => {
		backgroundSelect.value = background.value;
		overlayBox.checked = overlay.value;
		opacityRange.value = String(Math.round(opacity.value * 100));
		byId("opacity-value", HTMLOutputElement).textContent = `${opacityRange.value} %`;
	});
}

/** @param {Layer} of */
function extentInTime({ times: { first, last, count } }) {
	if (first === null || last === null) return text.noDates;
	const write = (/** @type {string} */ time) => formatDate(Date.parse(time), text.locale);
	return text.extentInTime(write(first), write(last), count);
}

/** On a narrow screen the panel is behind a button. */
function startPanelButton() {
	const button = byId("panel-button", HTMLButtonElement);
	const panel = byId("panel", HTMLElement);
	/** @param {boolean} isOpen */
	const show = (isOpen) => {
		panel.dataset.open = String(isOpen);
		button.setAttribute("aria-expanded", String(isOpen));
	};
	button.addEventListener("click", () => show(panel.dataset.open !== "true"));
	document.addEventListener("keydown", (event) => {
		if (event.key !== "Escape" || panel.dataset.open !== "true") return;
		show(false);
		button.focus();
	});
	show(false);
}

/** Shows the messages; one that stays is not written again, or else it would be spoken again. */
function startNotices() {
	const list = byId("notices", HTMLElement);
	effect(() => {
		const coming = new Map(notices.value.map((notice) => [`${notice.id} ${notice.message}`, notice]));
		for (const item of /** @type {HTMLElement[]} */ ([...list.children])) {
			if (!coming.delete(item.dataset.key ?? "")) item.remove();
		}
		for (const [key, notice] of coming) {
			const item = noticeItem(notice, list);
			item.dataset.key = key;
			list.append(item);
		}
	});
}

/** @param {import("./state.js").Notice} notice @param {HTMLElement} list */
function noticeItem({ id, message, action }, list) {
	const item = document.createElement("li");
	const words = document.createElement("span");
	words.textContent = message;
	item.append(words);
	const runNow = () =>
		notices
			.peek()
			.find((notice) => notice.id === id)
			?.action?.run();
	if (action) item.append(makeButton(action.label, runNow));
	const close = makeButton("×", () => {
		dismiss(id);
		const next = list.querySelector("button.icon") ?? byId("map", HTMLElement);
		if (next instanceof HTMLElement) next.focus();
	});
	close.setAttribute("aria-label", text.dismiss);
	close.className = "icon";
	item.append(close);
	return item;
}

/** @param {string} label @param {() => void} run */
function makeButton(label, run) {
	const button = document.createElement("button");
	button.type = "button";
	button.textContent = label;
	button.addEventListener("click", run);
	return button;
}

/** What is on the map, in words: for the page's title, and for those who do not see it. */
function startStatus() {
	const status = byId("status", HTMLElement);
	const attribution = byId("layer-attribution", HTMLElement);
	effect(() => {
		const { phase, why } = catalogue.value;
		if (phase === "loading") status.textContent = text.loadingLayers;
		else if (phase === "failed") {
			status.textContent = "";
			const retry = { label: text.tryAgain, run: open };
			notify("catalogue", text.layersFailed(why), retry);
		} else if (layers.value.length === 0) status.textContent = text.noLayers;
		if (phase !== "failed") dismiss("catalogue");
		status.dataset.phase = phase;
	});
	effect(() => {
		if (!layer.value) return;
		const { title } = layer.value;
		const { phase } = timeDomain.value;
		const isLoading = phase === "loading" || (phase === "ready" && tileProgress.value.phase === "loading");
		status.textContent = (isLoading ? text.loadingTiles : text.showing)(title, shownDate.value);
		status.dataset.phase = phase === "ready" ? tileProgress.value.phase : phase;
		document.title = `${text.showing(title, shownDate.value)} · chronotile`;
		attribution.textContent = layer.value.attribution ?? "";
	});
}

/** Loads the chart with the first place that is chosen. @param {import("./vendor/leaflet.js").Map} map */
function startSeries(map) {
	byId("centre-button", HTMLButtonElement).addEventListener("click", () => choosePoint(centreOf(map)));
	const stop = effect(() => {
		if (!point.value) return;
		queueMicrotask(() => stop());
		import("./chart.js")
			.then(({ startChart }) => startChart(byId("series", HTMLElement)))
			.catch(() => notify("chart", text.chartFailed));
	});
}

/** Keeps the address bar at a link to what is shown, and follows it when the user goes Back. */
function startLink() {
	/** The link written last; null until the first one, and after each step Back, which are no steps of their own. */
	let written = /** @type {import("./permalink.js").Link | null} */ (null);
	let waiting = 0;
	effect(() => {
		const now = link.value;
		window.clearTimeout(waiting);
		if (!now) return;
		waiting = window.setTimeout(() => {
			writeAddress(now, written !== null && (written.layer !== now.layer || written.date !== now.date));
			written = now;
		}, LINK_WAIT_MS);
	});
	onAddressChange(() => {
		window.clearTimeout(waiting);
		written = null;
		const { link: asked } = readAddress();
		applyMapLink(asked);
		void followLink(asked);
	});
}

function open() {
	const { link: asked, faults } = readAddress();
	applyMapLink(asked);
	reportFaults(faults);
	void openCatalogue(asked);
}

byId("stuck", HTMLElement).remove();
startLayerControls();
startDisplayControls();
startPanelButton();
startNotices();
startStatus();
startTimeline(byId("timeline", HTMLElement));
startLegend(byId("legend-body", HTMLElement), byId("legend-title", HTMLElement));
startSeries(startMap(byId("map", HTMLElement)));
startLink();
open();
