/** The export dialog: a picture, a film, values, and addresses for other programs, each of the current map. */

import { isStatic } from "../base/api.js";
import { openDialog } from "../base/dialog.js";
import { make, makeButton } from "../base/elements.js";
import { layer, timeDomain } from "../base/state.js";
import { makeTabs } from "../base/tabs.js";
import { text } from "../base/text.js";

/**
 * @typedef {"picture" | "film" | "data" | "copy"} TabId
 * @typedef {import("./picture.js").Tab} Tab
 */

/** Loaded when they are opened. @type {Record<TabId, () => Promise<Tab>>} */
const TABS = {
	picture: async () => (await import("./picture.js")).makePictureTab(),
	film: async () => (await import("./film.js")).makeFilmTab(),
	data: async () => new (await import("./data.js")).DataTab(),
	copy: async () => (await import("./copy.js")).makeCopyTab(),
};

/** @param {HTMLElement} button that opens the dialog @param {boolean} isOpened whether it was pressed already */
export function startExport(button, isOpened) {
	button.addEventListener("click", () => void openExport());
	if (isOpened) void openExport();
}

/** Returns the tabs that have content. @returns {TabId[]} */
function tabsNow() {
	const isFilm = timeDomain.peek().instants.length > 1;
	const hasNumbers = layer.peek()?.variable !== null;
	const has = { picture: true, film: isFilm, data: !isStatic && hasNumbers, copy: !isStatic };
	return /** @type {TabId[]} */ (Object.keys(TABS)).filter((id) => has[id]);
}

/** Shows in a tab why it is empty: notices are hidden behind the dialog. @param {() => void} tryAgain */
const makeFault = (tryAgain) =>
	make("p", { role: "alert" }, `${text("shell.partFailed")} `, makeButton(text("action.tryAgain"), tryAgain));

async function openExport() {
	/** @type {Tab | null} */
	let shown = null;
	let turn = 0;
	const views = tabsNow().map((id) => ({
		id,
		label: text(`export.${id}`),
		panel: make("div", { class: "export-panel" }),
	}));
	const show = async (/** @type {TabId} */ id) => {
		const mine = ++turn;
		shown?.stop();
		shown = null;
		for (const { panel } of views) panel.replaceChildren();
		const panel = views.find((each) => each.id === id)?.panel;
		const tab = await TABS[id]().catch(() => null);
		if (mine !== turn) return tab?.stop();
		shown = tab;
		panel?.append(tab ? tab.element : makeFault(() => void show(id)));
	};
	const { list: tabs } = makeTabs(text("export.title"), views, show);
	const { element, whenClosed } = openDialog(text("export.title"), tabs, ...views.map(({ panel }) => panel));
	element.classList.add("export-dialog");
	await whenClosed;
	turn += 1;
	/** @type {Tab | null} */ (shown)?.stop();
}
