/**
 * Starts the viewer: texts, the parts that are present from the start, those that are loaded on demand, the link.
 */

import { fetchConfig, fetchLayers, fetchOwn, renewSession } from "./base/api.js";
import { until } from "./base/delays.js";
import { byId, make, makeButton } from "./base/elements.js";
import { isFirstViewOver, isLoading, startFirstView, startPart } from "./base/parts.js";
import { onAddressChange, readAddress, storyOfAddress, writeAddress } from "./base/permalink.js";
import {
	applyLink,
	attributions,
	catalogue,
	configure,
	describeMap,
	dismiss,
	followedLink,
	followLink,
	foundPlace,
	inspected,
	isMoving,
	isReportOpen,
	isSignInOffered,
	joinLink,
	joinTheme,
	layer,
	layers,
	link,
	mapTool,
	notices,
	notify,
	openCatalogue,
	places,
	reportFaults,
	serviceTitle,
	setDark,
	shownDate,
	sideB,
	storiesOpened,
	theme,
	tileProgress,
	timeDomain,
} from "./base/state.js";
import { fillTexts, language, pickLanguage, text, useTexts } from "./base/text.js";
import { startLegends } from "./layers/legend-source.js";
import { startMap } from "./map/map.js";
import { showBrand } from "./shell/brand.js";
import { startTimeline } from "./time/timeline.js";
import { computed, effect, signal } from "./vendor/signals-core.js";

const LINK_WAIT_MS = 300;
/** Loading that takes longer shows a spinner. */
const BUSY_MS = 100;
/** If a session is not renewed by then, its layers are loaded later. */
const RENEWAL_WAIT_MS = 5000;
const SYSTEM_IS_DARK = "(prefers-color-scheme: dark)";

/** @typedef {import("./base/permalink.js").Link} Link */
/**
 * @typedef {{ isWanted?: (link: Link) => boolean, start: (isOpened: boolean) => Promise<unknown>, control?: string }}
 *   Feature `isWanted` reads signals
 */

/** Whether the panel has layers and legend: the next parts may load. */
const isPanelThere = signal(false);

/**
 * Parts that are loaded on demand: by the followed link, by the state, or by their control in the page, which then
 * opens them. Those that load automatically wait for the first picture.
 * @type {Record<string, Feature>}
 */
const FEATURES = {
	extras: {
		isWanted: (link) => link.layers !== undefined,
		start: async () => (await import("./layers/extras.js")).startExtras(),
	},
	ground: {
		control: "ground-button",
		start: async () =>
			(await import("./map/ground-menu.js")).startGroundMenu(byId("ground-button"), byId("ground-menu")),
	},
	frame: {
		isWanted: () => isFirstViewOver.value,
		start: async () => {
			(await import("./shell/frame.js")).startFrame();
			repeatPresses();
		},
	},
	embed: {
		isWanted: ({ embed }) => embed === true,
		start: async () => (await import("./shell/embed.js")).startEmbed(byId("map-frame")),
	},
	found: {
		isWanted: () => foundPlace.value !== null,
		start: async () => (await import("./map/features/found-place.js")).startFound(),
	},
	panel: {
		isWanted: () => isFirstViewOver.value,
		start: async () => {
			(await import("./layers/panel.js")).startPanel(byId("layers-panel"));
			(await import("./map/features/map-keys.js")).startMapKeys(byId("map-keys"), byId("map-frame"));
			isPanelThere.value = true;
		},
	},
	readout: {
		isWanted: () => isFirstViewOver.value,
		start: async () => (await import("./inspect/readout.js")).startReadout(byId("readout")),
	},
	areas: {
		isWanted: ({ aoi }) => aoi !== undefined || places.value.length > 0 || isPanelThere.value,
		start: async () => {
			const [panel, tools, frame] = ["areas-panel", "map-tools", "map-frame"].map((id) => byId(id));
			const isEmbedded = "embed" in document.documentElement.dataset;
			(await import("./areas/area-list.js")).startAreas({ panel, tools, frame }, isEmbedded);
			(await import("./map/features/area-outlines.js")).startAreaOutlines();
			const { placeSets, startPlaceSets } = await import("./areas/place-sets.js");
			void until(() => placeSets.value.length > 0).then(() => startPart("placeSets", startSets));
			await startPlaceSets();
		},
	},
	drawing: {
		isWanted: () => mapTool.value !== null,
		control: "map-tools",
		start: async () => (await import("./map/features/corner-handles.js")).startDrawing(byId("map-frame")),
	},
	compare: {
		isWanted: ({ compare }) => compare !== undefined,
		control: "compare-button",
		start: async (isOpened) => {
			const [bar, frame, button] = ["compare-bar", "map-frame", "compare-button"].map((id) => byId(id));
			(await import("./compare/compare.js")).startCompare({ bar, frame, button }, isOpened);
			(await import("./map/features/comparison.js")).startComparison(frame);
		},
	},
	find: {
		control: "find-button",
		start: async (isOpened) => {
			const [panel, button] = ["find-panel", "find-button"].map((id) => byId(id));
			await (await import("./find/find-panel.js")).startFind({ panel, button }, isOpened);
			(await import("./map/features/footprints.js")).startFootprints();
		},
	},
	export: {
		control: "export-button",
		start: async (isOpened) => (await import("./export/export.js")).startExport(byId("export-button"), isOpened),
	},
	report: {
		isWanted: () => isReportOpen.value,
		start: async () => (await import("./report/report.js")).startReport(),
	},
	search: {
		isWanted: () => isFirstViewOver.value && document.activeElement?.id === "search-text",
		control: "search-text",
		start: async () => (await import("./search/search.js")).startSearch(byId("search-text", HTMLInputElement)),
	},
	stories: {
		isWanted: ({ story }) =>
			isFirstViewOver.value && (story !== undefined || storiesOpened.value > 0 || storyOfAddress() !== null),
		start: async () => (await import("./stories/stories.js")).startStories(),
	},
	signIn: {
		isWanted: () => isSignInOffered.value && isFirstViewOver.value,
		start: async () => (await import("./shell/sign-in.js")).startSignIn(byId("sign-in-button")),
	},
	periods: {
		isWanted: ({ slot, date2 }) => slot !== undefined || date2 === "usual" || sideB.value?.isUsual.value === true,
		control: "period-button",
		start: async (isOpened) => {
			const button = byId("period-button", HTMLButtonElement);
			(await import("./time/periods/period-menu.js")).startPeriods(button, isOpened);
		},
	},
	inspect: {
		isWanted: ({ line, cube, scatter }) =>
			inspected.value !== null || line !== undefined || cube !== undefined || scatter === true,
		start: async () => {
			(await import("./inspect/inspect-panel.js")).startInspect(byId("map-frame"));
			(await import("./map/features/inspect-marks.js")).startInspectMarks();
		},
	},
	chart: {
		isWanted: () => places.value.length > 0,
		start: async () => (await import("./chart/chart.js")).startChart(byId("chart")),
	},
};

async function startSets() {
	(await import("./map/features/place-tiles.js")).startSets(byId("regions-panel"), byId("map-frame"));
}

/** Buttons that the frame answers. */
const FRAME_BUTTONS = ".top button:not(#find-button, #compare-button, #export-button, #sign-in-button), #home-button";

/** Buttons that were pressed before the frame could answer. @type {Set<HTMLElement>} */
const pressed = new Set();

/** @param {MouseEvent} event */
function keepPress({ target }) {
	const button = /** @type {Element} */ (target).closest(FRAME_BUTTONS);
	if (button instanceof HTMLElement) pressed.add(button);
}

/** Repeats the clicks that came before the frame was loaded. */
function repeatPresses() {
	document.removeEventListener("click", keepPress);
	for (const button of pressed) button.click();
}

/** Starts each feature once, when it is first needed. */
function startFeatures() {
	document.addEventListener("click", keepPress);
	for (const [name, { isWanted, start, control }] of Object.entries(FEATURES)) {
		let isStarted = false;
		const ensure = (/** @type {boolean} */ isOpened) => {
			if (isStarted) return;
			void startPart(name, async () => {
				await start(isOpened);
				isStarted = true;
			});
		};
		if (isWanted) void until(() => isWanted(followedLink.value)).then(() => ensure(false));
		// Fields have the focus by keys too.
		const kind = name === "search" ? "focus" : "click";
		if (control) byId(control).addEventListener(kind, () => ensure(true));
	}
}

/** Applies the colour scheme of the link, the switch or the system. */
function startTheme() {
	const system = window.matchMedia(SYSTEM_IS_DARK);
	const isSystemDark = signal(system.matches);
	system.addEventListener("change", () => {
		isSystemDark.value = system.matches;
	});
	joinTheme();
	// Paper is white.
	const isOnPaper = signal(false);
	const print = (/** @type {Event} */ { type }) => {
		isOnPaper.value = type === "beforeprint";
	};
	for (const kind of ["beforeprint", "afterprint"]) window.addEventListener(kind, print);
	effect(() => {
		const chosenTheme = isOnPaper.value ? "light" : theme.value;
		const isWanted = chosenTheme === "auto" ? isSystemDark.value : chosenTheme === "dark";
		// Style sheets have both colours of each thing: light-dark().
		document.documentElement.style.colorScheme = isWanted ? "dark" : "light";
		setDark(isWanted);
	});
}

/** Embedded and minimal pages keep their form for all links. */
function startForm() {
	const { embed, ui } = readAddress().link;
	const { dataset } = document.documentElement;
	if (embed) dataset.embed = "";
	if (embed || ui) {
		dataset.ui = "min";
		// The header is not there, and its heading with it.
		const caption = byId("status");
		caption.setAttribute("role", "heading");
		caption.setAttribute("aria-level", "1");
	}
	joinLink({ write: () => ({ embed, ui }), read: () => {} });
}

/** Shows the messages; a remaining one is not written again, or else it would be spoken again. */
function startNotices() {
	const list = byId("notices");
	effect(() => {
		const keyOf = (/** @type {import("./base/state.js").Notice} */ { id, message, action }) =>
			`${id} ${message} ${action?.label ?? ""}`;
		const coming = new Map(notices.value.map((notice) => [keyOf(notice), notice]));
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

/** @param {import("./base/state.js").Notice} notice @param {HTMLElement} list */
function noticeItem({ id, message, action }, list) {
	// If several notices have the same text, the action of the newest one runs.
	const newest = () => notices.peek().find((notice) => notice.id === id);
	const close = () => {
		dismiss(id);
		const next = /** @type {HTMLElement | null} */ (list.querySelector("button.icon"));
		(next ?? byId("map")).focus();
	};
	const act = action ? [makeButton(action.label, () => newest()?.action?.run())] : [];
	const cross = makeButton("×", close, { class: "icon", "aria-label": text("action.dismiss") });
	return make("li", {}, make("span", {}, message), ...act, cross);
}

/** Returns the text for a layer and its date. @param {"map.showing" | "map.loading"} key @param {string} title */
function shownText(key, title) {
	const date = shownDate.value;
	if (date) return text(key, { layer: title, date });
	return key === "map.loading" ? text("map.loadingUndated", { layer: title }) : title;
}

/** Describes the content of the map in words: for the title of the page, and for screen readers. */
function startStatus() {
	const status = byId("status");
	effect(() => {
		byId("layer-attribution").textContent = attributions.value.join(" · ");
	});
	effect(() => {
		const { phase, why } = catalogue.value;
		// The text of the map remains while the list is requested again.
		if (phase !== "ready" && !layer.peek()) status.textContent = phase === "loading" ? text("layers.loading") : "";
		if (phase === "failed") {
			notify("catalogue", text("layers.failed", { why }), { label: text("action.tryAgain"), run: () => open() });
		} else if (phase === "ready" && layers.value.length === 0) status.textContent = text("layers.none");
		if (phase !== "failed") dismiss("catalogue");
	});
	const phase = computed(() => {
		const dataPhase = layer.value ? timeDomain.value.phase : catalogue.value.phase;
		return layer.value && dataPhase === "ready" ? tileProgress.value.phase : dataPhase;
	});
	effect(() => {
		status.dataset.phase = phase.value;
		if (phase.value !== "loading") return;
		// No spinner for pictures that are painted in the next frame.
		const waiting = window.setTimeout(() => status.toggleAttribute("data-busy", true), BUSY_MS);
		return () => {
			window.clearTimeout(waiting);
			status.removeAttribute("data-busy");
		};
	});
	// While dates change it does not become narrower: each change of its width causes a new layout of the map's controls.
	const keepWidth = () => {
		status.style.minWidth = `min(${Math.floor(status.getBoundingClientRect().width)}px, 100% - 20px - 4rem)`;
	};
	new ResizeObserver(() => isMoving.peek() && keepWidth()).observe(status);
	effect(() => {
		if (isMoving.value) keepWidth();
		else status.style.minWidth = "";
	});
	effect(() => {
		if (!layer.value) return;
		const { title } = layer.value;
		const words = shownText(phase.value === "loading" ? "map.loading" : "map.showing", title);
		status.textContent = words;
		// Movement is visible; only the date at rest is spoken.
		if (isMoving.value) return;
		describeMap(words);
		document.title = `${shownText("map.showing", title)} · ${serviceTitle.value || "chronotile"}`;
	});
}

/** Updates the link in the address bar, and follows it when the user goes Back. */
function startLink() {
	/** The link written last; null before the first one and after each step Back, which adds no history entry. */
	let written = /** @type {Link | null} */ (null);
	let isStarting = true;
	let waiting = 0;
	effect(() => {
		const now = link.value;
		window.clearTimeout(waiting);
		// One step for a whole drag, not one per date; parts that are still loading will change the link too.
		if (!now || isMoving.value || (isStarting && isLoading.value)) return;
		waiting = window.setTimeout(() => {
			isStarting = false;
			writeAddress(now, written !== null && (written.layer !== now.layer || written.date !== now.date));
			written = now;
		}, LINK_WAIT_MS);
	});
	onAddressChange(() => {
		window.clearTimeout(waiting);
		written = null;
		const { link: asked } = readAddress();
		applyLink(asked);
		void followLink(asked);
	});
}

/** @param {Promise<import("./base/api.js").Layer[] | null>} [listed] the layers, if they were requested already */
function open(listed) {
	const { link: asked, faults } = readAddress();
	applyLink(asked);
	reportFaults(faults);
	void openCatalogue(asked, listed);
}

/** Sends the first requests; the page preloads them together with the script, in the language of the browser. */
async function start() {
	const code = pickLanguage([readAddress().link.language, ...window.navigator.languages]);
	// Requests use that language too.
	useTexts(code, {});
	const { signal: never } = new AbortController();
	// Without the texts no failure could be described.
	const listed = fetchLayers(never).catch(() => null);
	const [texts, configured] = await Promise.all([fetchOwn(`i18n/${code}.json`), fetchConfig(never).catch(() => null)]);
	useTexts(code, texts);
	configure(configured);
	showBrand(configured);
	document.documentElement.lang = language();
	fillTexts(document);
	byId("stuck").remove();
	startFirstView();
	startTheme();
	startForm();
	startNotices();
	startStatus();
	startTimeline(byId("timeline"));
	startMap(byId("map"));
	startLegends();
	startFeatures();
	startLink();
	// The layers of an expired session are incomplete; the identity provider may be slow.
	const isExpired = configured?.sign_in === "expired";
	const renewed = isExpired && (await renewSession(AbortSignal.timeout(RENEWAL_WAIT_MS)).catch(() => null));
	open(renewed ? undefined : listed);
}

void start();
