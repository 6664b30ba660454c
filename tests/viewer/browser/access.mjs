/**
 * Scenarios of accessibility: phone, keyboard, large letters, screen reader. `node access.mjs BASE_URL OUT_DIR
 * [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { answerStatus, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { brokenRules, hear, noticeTexts, until, whenAtRest, whenFocused, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("./harness.mjs").Check} Check */

/** In the middle of the layer `ndvi`. */
const HERE = "3.735,51.05";
const WITH_CHART = `?layer=ndvi&date=2019-03-02&view=${HERE},12&pt=${HERE}`;
const PHONE = { width: 360, height: 640 };

/** Returns the number of pixels by which the page is wider than the window. @param {Page} page */
const excessWidth = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

/**
 * Returns controls that are smaller than `least` in one direction, without links within a line of text.
 * @param {Page} page
 * @param {number} least CSS pixels
 * @param {string} [root]
 */
const smallTargets = (page, least, root = "body") =>
	page.locator(root).evaluate((within, size) => {
		const controls = [...within.querySelectorAll("button, select, input, summary, [role=slider], [tabindex='0']")];
		return controls.flatMap((control) => {
			const label = control.closest("label") ?? document.querySelector(`label[for="${control.id || "none"}"]`);
			const boxes = [control, label].map((each) => each?.getBoundingClientRect());
			const { width = 0, height = 0 } = boxes[0] ?? {};
			const isSeen = control.checkVisibility({ visibilityProperty: true }) && width > 1 && height > 1;
			const across = Math.max(width, boxes[1]?.width ?? 0);
			const down = Math.max(height, control.matches("[type=checkbox], [type=radio]") ? (boxes[1]?.height ?? 0) : 0);
			return isSeen && Math.min(across, down) < size - 0.5
				? [`${Math.round(across)} x ${Math.round(down)}: ${control.outerHTML.slice(0, 120)}`]
				: [];
		});
	}, least);

/** Returns texts that are cut off without an ellipsis. @param {Page} page */
const cutTexts = (page) =>
	page.evaluate(() =>
		[...document.querySelectorAll("body *")].flatMap((element) => {
			if (
				!element.checkVisibility({ visibilityProperty: true }) ||
				element.matches(".unseen, .skip, select, option, canvas, svg *")
			)
				return [];
			const hasText = [...element.childNodes].some(({ nodeType, nodeValue }) => nodeType === 3 && nodeValue?.trim());
			const { overflowX, overflowY, textOverflow } = getComputedStyle(element);
			const isCut =
				(element.scrollWidth > element.clientWidth + 1 && overflowX === "hidden" && textOverflow !== "ellipsis") ||
				(element.scrollHeight > element.clientHeight + 1 && overflowY === "hidden");
			const isOut =
				element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1 && element.matches("button");
			return hasText && (isCut || isOut) ? [element.outerHTML.slice(0, 120)] : [];
		}),
	);

/** Sets the spacing of text as users may according to WCAG 2.2, 1.4.12. @param {Page} page */
const spaceText = (page) =>
	page.evaluate(() => {
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(
			"* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-bottom: 2em !important }",
		);
		document.adoptedStyleSheets.push(sheet);
	});

/**
 * Whether the focused element looks different without focus: rings of slider handles are in no property.
 * @param {Page} page
 */
async function looksOtherInFocus(page) {
	const focused = await page.evaluateHandle(() => /** @type {HTMLElement} */ (document.activeElement));
	const clip = await focused.boundingBox();
	if (!clip) return false;
	const within = await page.screenshot({ clip });
	await focused.evaluate((element) => element.blur());
	const without = await page.screenshot({ clip });
	await focused.focus();
	return !within.equals(without);
}

/**
 * Returns the elements that get the focus by Tab, in order, for one round; with faults of their focus indication.
 * @param {Page} page
 */
async function tour(page) {
	const MOST = 200;
	const stops = [];
	await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement)?.blur());
	for (let step = 0; step < MOST; step++) {
		await page.keyboard.press("Tab");
		const stop = await page.evaluate(() => {
			const element = document.activeElement;
			if (!element || element === document.body) return null;
			const { left, top, width, height } = element.getBoundingClientRect();
			const style = getComputedStyle(element);
			const seen = [0.2, 0.5, 0.8].some((share) => {
				const at = document.elementFromPoint(left + width * share, top + height / 2);
				return (
					at !== null && (element.contains(at) || at.contains(element) || at.closest("label")?.control === element)
				);
			});
			const hasRing = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2;
			const name =
				element.id || element.getAttribute("data-part") || element.className || element.outerHTML.slice(0, 80);
			return { name: String(name), fault: !hasRing ? "has no ring" : !seen ? "is covered" : "" };
		});
		if (stop === null) break;
		if (stop.fault === "has no ring" && (await looksOtherInFocus(page))) stop.fault = "";
		stops.push(stop);
		if (stops.length > 1 && stop.name === stops[0].name) break;
	}
	assert.ok(stops.length < MOST, "the focus does not come round");
	return stops;
}

/** Returns the visible controls, by the names in `tour`. @param {Page} page */
const seenControls = (page) =>
	page.evaluate(() =>
		[...document.querySelectorAll("a[href], button, select, input, textarea, summary, [tabindex='0']")]
			.filter((element) => {
				const { width, height } = element.getBoundingClientRect();
				const isReachable = !element.matches(":disabled, [tabindex='-1'], [role=tab][aria-selected=false]");
				return isReachable && width > 1 && height > 1 && element.checkVisibility({ visibilityProperty: true });
			})
			.map((element) =>
				String(element.id || element.getAttribute("data-part") || element.className || element.outerHTML.slice(0, 80)),
			),
	);

const COMPARED = "?layer=ndvi_years&date=2019-03-02&date2=2018-03-02";

/** Waits until both sides of a comparison are on the map. @param {Page} page */
async function whenCompared(page) {
	await page.locator("#compare-bar .modes").waitFor();
	await page.locator("#map-frame[data-shown-b=shown]").waitFor();
}

/**
 * Opens a dialog of the header, which on phones is in the menu.
 * @param {string} id of its button
 * @param {boolean} [isInMenu]
 */
const openDialog = (id, isInMenu) => async (/** @type {Page} */ page) => {
	if (isInMenu) await page.locator("#menu-button").click();
	await page.locator(`#${id}`).click();
	await page.getByRole("dialog").waitFor();
};

/** @param {Page} page */
async function openCalendar(page) {
	await page.locator("#timeline [data-part=date]").click();
	await page.getByRole("grid").waitFor();
}

/**
 * The states of scenario 33, and how to reach them.
 * @type
 *   {Record<string, { search: string, width?: number, height?: number, allowed?: RegExp, routes?: any, go?: (page: Page) => Promise<unknown> }>}
 */
const STATES = {
	start: { search: "?layer=ndvi&date=2019-03-02" },
	chart: { search: WITH_CHART, go: (page) => page.locator("#chart .plot-drawing").first().waitFor() },
	calendar: {
		search: "?layer=ndvi&date=2019-03-02",
		go: openCalendar,
	},
	...Object.fromEntries(
		["swipe", "side", "opacity", "spy", "diff"].map((mode) => [
			`compare ${mode}`,
			{ search: `${COMPARED}&compare=${mode}`, go: whenCompared },
		]),
	),
	"compare with chart and colours": {
		search: `${COMPARED}&compare=swipe&pt=${HERE}`,
		go: async (page) => {
			await whenCompared(page);
			await page.locator("#chart .plot-drawing").first().waitFor();
			await page.locator(".side-card.b .key").click();
			await page.locator(".key-editor .legend-plot").waitFor();
		},
	},
	draw: {
		search: "?layer=ndvi&date=2019-03-02",
		go: async (page) => {
			await page.locator(".area-tools > button").click();
			await page.getByRole("button", { name: "Draw a polygon" }).click();
			await page.locator(".draw-bar").waitFor();
		},
	},
	"export dialog": { search: "?layer=ndvi&date=2019-03-02", go: openDialog("export-button") },
	"share dialog": { search: "?layer=ndvi", go: openDialog("share-button") },
	"help dialog": { search: "?layer=ndvi", go: openDialog("help-button") },
	"phone sheet": {
		search: WITH_CHART,
		...PHONE,
		go: (page) => page.locator("#sheet[data-stop=high] #chart .plot-drawing").first().waitFor(),
	},
	"phone menu": { search: "?layer=ndvi", ...PHONE, go: (page) => page.locator("#menu-button").click() },
	"phone start": { search: "?layer=ndvi&date=2019-03-02", ...PHONE },
	"phone layers": {
		search: "?layer=ndvi&date=2019-03-02",
		...PHONE,
		go: async (page) => {
			await page.locator("#sheet-handle").click();
			await page.locator("#sheet[data-stop=middle] #layer").waitFor();
		},
	},
	"phone calendar": { search: "?layer=ndvi&date=2019-03-02", ...PHONE, go: openCalendar },
	"phone compare": { search: `${COMPARED}&compare=swipe`, ...PHONE, go: whenCompared },
	"phone compare, middle": {
		search: `${COMPARED}&compare=swipe`,
		...PHONE,
		go: async (page) => {
			await whenCompared(page);
			await page.locator("#sheet-handle").click();
			await page.locator("#sheet[data-stop=middle] .half >> nth=0").waitFor();
		},
	},
	"phone side by side": { search: `${COMPARED}&compare=side`, ...PHONE, go: whenCompared },
	"phone export": { search: "?layer=ndvi&date=2019-03-02", ...PHONE, go: openDialog("export-button", true) },
	messages: {
		search: "?layer=NO_SUCH_LAYER&date=1955-05-05&bgLayer=Elsewhere",
		allowed: FAILED_REQUEST,
		go: (page) => page.locator("#notices li").nth(2).waitFor(),
	},
	error: {
		search: "",
		allowed: FAILED_REQUEST,
		routes: { "/layers$": answerStatus(503, "Come back later.") },
		go: (page) => page.getByText("Come back later.").waitFor(),
	},
	embedded: { search: "?layer=ndvi&embed=1", go: (page) => page.locator(".shield").waitFor() },
};

await runAsCalled([
	[
		"30 on a phone nothing lies beside the window, the sheet has three stops, and targets are large",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-03-02&view=${HERE},12`, ...PHONE });
			await whenShown(page);
			const [sheet, handle] = [page.locator("#sheet"), page.locator("#sheet-handle")];
			await page.locator("#legend-body[data-kind=ramp]").waitFor({ state: "attached" });
			const heights = [];
			for (const stop of ["low", "middle", "high"]) {
				await page.locator(`#sheet[data-stop=${stop}]`).waitFor();
				assert.ok(await page.locator("#timeline").isVisible(), `${stop}: the date is not there`);
				assert.equal(await page.locator("#legend-body").isVisible(), stop !== "low");
				assert.equal(await page.locator("#layer").isVisible(), stop !== "low");
				assert.ok((await excessWidth(page)) <= 0, `${stop}: too wide`);
				assert.deepEqual(await smallTargets(page, 24), []);
				heights.push((await sheet.boundingBox())?.height ?? 0);
				await page.screenshot({ path: join(outDir, `phone-${stop}.png`) });
				await handle.click();
			}
			assert.ok(heights[0] < heights[1] && heights[1] < heights[2], String(heights));
			await page.locator("#sheet[data-stop=low]").waitFor();
			await handle.press("ArrowUp");
			await page.locator("#sheet[data-stop=middle]").waitFor();
			await handle.press("ArrowDown");
			await page.locator("#sheet[data-stop=low]").waitFor();
		},
	],
	[
		"30 on a phone the sheet follows the finger, and stops where it is let go",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi", ...PHONE });
			await whenShown(page);
			const handle = page.locator("#sheet-handle");
			for (const [y, stop] of /** @type {[number, string][]} */ ([
				[330, "middle"],
				[120, "high"],
				[600, "low"],
			])) {
				const box = await handle.boundingBox();
				assert.ok(box);
				await page.mouse.move(180, box.y + box.height / 2);
				await page.mouse.down();
				await page.mouse.move(180, (box.y + y) / 2, { steps: 4 });
				await page.mouse.move(180, y, { steps: 4 });
				await page.mouse.up();
				await page.locator(`#sheet[data-stop=${stop}]`).waitFor();
			}
		},
	],
	[
		"30 on a phone a place that is chosen brings up its values, and stays in sight",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-03-02&view=${HERE},12`, ...PHONE });
			await whenShown(page);
			await page.locator("#map").click({ position: { x: 180, y: 350 } });
			await page.locator("#sheet[data-stop=high] #chart .plot-drawing").first().waitFor();
			await whenAtRest(page, "#map", "#map .area-badge");
			await page.screenshot({ path: join(outDir, "phone-place.png") });
			const [map, mark] = [
				await page.locator("#map").boundingBox(),
				await page.locator("#map .area-badge").last().boundingBox(),
			];
			assert.ok(
				map && mark && mark.y > map.y && mark.y + mark.height < map.y + map.height,
				"the place is out of sight",
			);
		},
	],
	[
		"30 on a phone the menu has what the header has, opens and closes by key",
		async ({ open, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi", ...PHONE });
			await whenShown(page);
			const menu = page.locator("#menu-button");
			await menu.press("Enter");
			for (const id of ["share-button", "language", "theme-button", "help-button"]) {
				assert.ok(await page.locator(`#${id}`).isVisible(), id);
			}
			assert.deepEqual(await smallTargets(page, 44, ".top"), []);
			await page.screenshot({ path: join(outDir, "phone-menu.png") });
			await page.keyboard.press("Tab");
			await page.keyboard.press("Escape");
			assert.ok(await page.locator("#share-button").isHidden());
			await whenFocused(page, "menu-button");
			await menu.click();
			await page.getByRole("button", { name: "Help and keyboard" }).click();
			await page.getByRole("dialog", { name: "Help and keyboard" }).waitFor();
			assert.ok(await page.locator("#share-button").isHidden());
		},
	],
	...[
		[320, 256],
		[320, 568],
		[640, 360],
		[800, 360],
	].map(
		([width, height]) =>
			/** @type {[string, Check]} */ ([
				`31 in ${width} x ${height} all is there in one direction, and nothing covers it`,
				async ({ open, outDir }) => {
					const { page } = await open({ search: WITH_CHART, width, height });
					await whenShown(page);
					await page.locator("#chart .plot-drawing").first().waitFor();
					await whenAtRest(page, "#map", "#chart");
					assert.ok((await excessWidth(page)) <= 0, `${await excessWidth(page)} px too wide`);
					for (const selector of ["#map", "#timeline .date", ".strip", "#layer", "#legend-body", "#chart"]) {
						const part = page.locator(selector);
						await part.scrollIntoViewIfNeeded();
						const box = await part.boundingBox();
						assert.ok(box && box.x >= 0 && box.x + box.width <= width + 0.5, `${selector}: ${JSON.stringify(box)}`);
					}
					const map = await page.locator("#map").boundingBox();
					assert.ok(map && map.height > 90, `${map?.height} px are left of the map`);
					await page.screenshot({ path: join(outDir, `reflow-${width}-${height}.png`), fullPage: true });
				},
			]),
	),
	...[
		{ width: 1280, height: 800 },
		{ width: 320, height: 640 },
	].map(
		({ width, height }) =>
			/** @type {[string, Check]} */ ([
				`31 text with more room between its letters and lines is not cut in ${width} px`,
				async ({ open, outDir }) => {
					const { page } = await open({ search: WITH_CHART, width, height });
					await whenShown(page);
					await page.locator("#chart .plot-drawing").first().waitFor();
					await spaceText(page);
					await whenAtRest(page, "body *");
					await page.screenshot({ path: join(outDir, `spaced-${width}.png`) });
					assert.deepEqual(await cutTexts(page), []);
					assert.ok((await excessWidth(page)) <= 0, "too wide");
				},
			]),
	),
	[
		"31 in forced colours controls have edges, and colours that mean something stay",
		async ({ open, outDir }) => {
			const { page } = await open({ search: WITH_CHART });
			await page.emulateMedia({ forcedColors: "active" });
			await whenShown(page);
			await page.locator("#chart .plot-drawing").first().waitFor();
			await page.screenshot({ path: join(outDir, "forced-colours.png") });
			const edges = await page
				.locator("button:visible")
				.evaluateAll((all) =>
					all
						.filter((each) => getComputedStyle(each).borderTopStyle === "none")
						.map((each) => each.outerHTML.slice(0, 100)),
				);
			assert.deepEqual(edges, []);
		},
	],
	...Object.entries(STATES).flatMap(([name, { search, width = 1280, height = 800, go, ...more }]) =>
		/** @type {("light" | "dark")[]} */ (["light", "dark"]).map(
			(scheme) =>
				/** @type {[string, Check]} */ ([
					`33 axe finds nothing wrong: ${name}, ${scheme}`,
					async ({ open, outDir }) => {
						const { page } = await open({ search, width, height, scheme, ...more });
						if (name !== "error")
							await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
						await go?.(page);
						await page.screenshot({ path: join(outDir, `axe-${name.replaceAll(" ", "-")}-${scheme}.png`) });
						assert.deepEqual(await brokenRules(page), []);
					},
				]),
		),
	),
	[
		"34 the keyboard alone reaches all that can be pressed, and shows where it is",
		async ({ open }) => {
			const { page } = await open({ search: WITH_CHART });
			await whenShown(page);
			await page.locator("#chart .plot-drawing").first().waitFor();
			await whenAtRest(page, "button, select, input");
			const stops = await tour(page);
			assert.deepEqual(
				stops.filter(({ fault }) => fault !== "").map(({ name, fault }) => `${name} ${fault}`),
				[],
			);
			const reached = new Set(stops.map(({ name }) => name));
			assert.deepEqual(
				(await seenControls(page)).filter((name) => !reached.has(name)),
				[],
			);
		},
	],
	[
		"34 the skip link leads to the map, whose middle Enter takes",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-03-02&view=${HERE},12` });
			await whenShown(page);
			await page.keyboard.press("Tab");
			assert.ok(await page.getByRole("link", { name: "Skip to the map" }).isVisible());
			await page.keyboard.press("Enter");
			await whenFocused(page, "map");
			await page.keyboard.press("ArrowRight");
			await whenAtRest(page);
			await page.keyboard.press("Enter");
			await page.locator("#chart .plot-drawing").first().waitFor();
			await page.waitForFunction(() => new URLSearchParams(window.location.search).has("pt"));
		},
	],
	...[
		["share-button", "Share"],
		["help-button", "Help and keyboard"],
	].map(
		([id, name]) =>
			/** @type {[string, Check]} */ ([
				`34 the dialog “${name}” keeps the focus while it is open, and gives it back`,
				async ({ open }) => {
					const { page } = await open({ search: "?layer=ndvi" });
					await whenShown(page);
					await page.locator(`#${id}`).press("Enter");
					const dialog = page.getByRole("dialog", { name });
					await dialog.waitFor();
					for (let step = 0; step < 12; step++) {
						const isInside = await page.evaluate(
							() => document.activeElement === document.body || document.activeElement?.closest("dialog") !== null,
						);
						assert.ok(isInside, `after ${step} steps the focus is behind the dialog`);
						await page.keyboard.press("Tab");
					}
					await page.keyboard.press("Escape");
					await dialog.waitFor({ state: "detached" });
					await whenFocused(page, id);
				},
			]),
	),
	[
		"what the map shows is told in words, and its numbers when it rests",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-01-01&view=${HERE},13` });
			const told = page.locator("#spoken").getByText(/^The mean on the map is 0\.\d+; \d+% of the map has no data\.$/);
			await told.waitFor();
			// The last spoken text may describe the map before the layout of the page was complete.
			await whenShown(page);
			await whenAtRest(page, "#map");
			const whenHeard = await hear(page);
			await page.locator("#timeline").getByRole("button", { name: "Next date" }).click();
			await whenHeard("NDVI of 2019, 6 January 2019");
			await told.waitFor();
			const second = await told.textContent();
			await page.locator("#timeline").getByRole("button", { name: "Previous date" }).click();
			await whenHeard("NDVI of 2019, 1 January 2019");
			await told.filter({ hasNotText: second ?? "" }).waitFor();
			await page.locator("#timeline").getByRole("button", { name: "Next date" }).click();
			await told.filter({ hasText: second ?? "" }).waitFor();
			const description = await page.locator("#map").getAttribute("aria-describedby");
			assert.deepEqual(description?.split(" "), ["status", "map-text"]);
			await until(
				page,
				async () => (await page.locator("#map-text").textContent()) === (await told.textContent()),
				() => "the map is described by what is told",
			);
		},
	],
	[
		"34 single keys do what they say, not in fields, and can be switched off for good",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await page.locator("#map").focus();
			await page.keyboard.press("l");
			assert.ok(await page.locator("#panel").isHidden());
			await page.keyboard.press("l");
			assert.ok(await page.locator("#panel").isVisible());
			await page.keyboard.press("/");
			await whenFocused(page, "search-text");
			await page.keyboard.type("l?");
			assert.ok(await page.locator("#panel").isVisible());
			assert.equal(await page.getByRole("dialog").count(), 0);

			await page.locator("#map").focus();
			await page.keyboard.press("?");
			await page.getByLabel("Single keys work anywhere in the page").uncheck();
			await page.keyboard.press("Escape");
			await page.reload();
			await whenShown(page);
			await page.locator("#map").focus();
			await page.keyboard.press("l");
			assert.ok(await page.locator("#panel").isVisible());
		},
	],
	[
		"messages cover nothing of the map, are spoken, and go when they have been read",
		async ({ open, outDir }) => {
			for (const [width, height, least] of [
				[1280, 800, 30],
				[390, 800, 45],
				[800, 360, 45],
			]) {
				const search = `?layer=ndvi&date=1955-05-05&bgLayer=Elsewhere&view=${HERE},12`;
				const { page } = await open({ search, width, height });
				await whenShown(page);
				const messages = page.getByRole("status", { name: "Messages" });
				await page.locator("#notices li").nth(1).waitFor();
				await whenAtRest(page, "#map", "#notices");
				const [frame, map] = [await messages.boundingBox(), await page.locator("#map").boundingBox()];
				assert.ok(frame && map && frame.height > least, "the messages are not there");
				const isApart = frame.y + frame.height <= map.y + 0.5 || frame.y >= map.y + map.height - 0.5;
				assert.ok(isApart, "the map is covered");
				assert.ok(map.height > 150, `${map.height} px are left of the map`);
				await page.screenshot({ path: join(outDir, `messages-${width}.png`) });

				await page.getByRole("button", { name: "Dismiss" }).first().press("Enter");
				assert.equal((await noticeTexts(page)).length, 1);
				assert.equal(await page.evaluate(() => document.activeElement?.ariaLabel), "Dismiss");
				await page.keyboard.press("Enter");
				await whenFocused(page, "map");
				await until(page, async () => ((await messages.boundingBox())?.height ?? 0) === 0);
			}
		},
	],
]);
