/** Scenarios of the frame and of links: `node shell.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { answerJson, answerStatus, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import {
	inspect,
	linkValue,
	noticeTexts,
	stillPicture,
	until,
	whenAtRest,
	whenFocused,
	whenLinkSays,
	whenNoNotices,
	whenNotice,
	whenShown,
} from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

const EVIL = "<img src=x onerror=alert(1)>";
/** In the middle of the layer `ndvi`. */
const HERE = "3.735,51.05";
const TILE_PX = 256;

/** @param {string} language @returns {Promise<Record<string, string | Record<string, string>>>} */
const readTexts = async (language) =>
	JSON.parse(await readFile(new URL(`../../../viewer/i18n/${language}.json`, import.meta.url), "utf8"));

/** @param {Page} page */
const shareLink = async (page) => {
	await page.locator("#share-button").click();
	const link = await page.getByLabel("Link", { exact: true }).inputValue();
	await page.keyboard.press("Escape");
	return link;
};

/** Waits until all parts of a link are loaded: comparisons hide the caption. @param {Page} page */
async function whenLinkShown(page) {
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
	await page.locator("#chart .plot-drawing").first().waitFor();
	await page.locator(".leaflet-control-scale[title]").waitFor({ state: "attached" });
	await whenAtRest(page);
}

/** Takes a picture of the map, without the elements above it. @param {Page} page @param {string} path */
async function mapPicture(page, path) {
	// The names of towns are loaded last.
	await page.locator("#map .town > span").first().waitFor();
	await page.locator(".leaflet-outlines-pane canvas").first().waitFor();
	await inspect(page);
	const isWhole = () =>
		page.evaluate(() => {
			const { loader, sideA, sideB } = /** @type {any} */ (window).parts;
			const sides = [sideA, sideB.peek()].filter(Boolean);
			return loader.pending === 0 && sides.every((side) => side.tileProgress.peek().phase === "shown");
		});
	await until(page, isWhole);
	await whenAtRest(page, "#map", "#map .town");
	// Gaps are filled from dates that were requested when the pointer rested.
	await until(page, isWhole);
	const box = await page.locator("#map").boundingBox();
	assert.ok(box);
	return stillPicture(page, {
		path,
		clip: { x: box.x, y: box.y + 60, width: box.width - 80, height: box.height - 120 },
	});
}

/**
 * Returns the largest difference of two pictures in red, green or blue, of 255; infinity if their sizes differ.
 * @param {Page} page
 * @param {...Buffer} pictures
 */
const differenceOf = (page, ...pictures) =>
	page.evaluate(
		async (sources) => {
			const [one, other] = await Promise.all(
				sources.map(async (source) => {
					const bytes = Uint8Array.from(atob(source), (letter) => letter.charCodeAt(0));
					const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
					const context = /** @type {any} */ (new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d"));
					context.drawImage(bitmap, 0, 0);
					return /** @type {ImageData} */ (context.getImageData(0, 0, bitmap.width, bitmap.height));
				}),
			);
			if (one.width !== other.width || one.height !== other.height) return Number.POSITIVE_INFINITY;
			return one.data.reduce((most, part, at) => Math.max(most, Math.abs(part - other.data[at])), 0);
		},
		pictures.map((picture) => picture.toString("base64")),
	);

/**
 * Shows a page of another site instead of the viewer.
 * @param {Page} page
 * @param {string} base
 * @param {string} lines of HTML
 */
async function showOtherPage(page, base, lines) {
	const url = new URL("other.html", base).href;
	await page.route(url, (route) => route.fulfill({ contentType: "text/html", body: `<!doctype html>${lines}` }));
	await page.goto(url);
	return page.frameLocator("iframe");
}

/**
 * Waits until the page behind its text is white, or is not: the dark colours are in a separate file.
 * @param {Page} page
 * @param {boolean} isWhite
 */
const whenPageIsWhite = (page, isWhite) =>
	page.waitForFunction(
		(wanted) => (getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)") === wanted,
		isWhite,
	);

/** Waits until the picture of the header is loaded. @param {Page} page @param {[number, number]} size in pixels */
const whenLogoIs = (page, size) =>
	page.waitForFunction((wanted) => {
		const picture = /** @type {HTMLImageElement | null} */ (document.querySelector("#brand img"));
		return picture?.naturalWidth === wanted[0] && picture.naturalHeight === wanted[1];
	}, size);

const LAND = [243, 241, 234, 255];

/** Makes a gate at which answers wait until it is released. */
function makeHold() {
	let release = () => {};
	const held = new Promise((resolve) => {
		release = () => resolve(null);
	});
	return { held, release };
}

/** Waits until the middle of a tile of the background has a colour. @param {Page} page @param {number[]} colour */
const whenGroundIs = (page, colour) =>
	page.waitForFunction((wanted) => {
		const canvas = /** @type {HTMLCanvasElement | null} */ (document.querySelector(".leaflet-land-pane canvas"));
		const pixel = canvas?.getContext("2d")?.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
		return pixel !== undefined && wanted.every((each, at) => each === pixel[at]);
	}, colour);

await runAsCalled([
	[
		"2 a link of Terrascope's viewer restores its six values",
		async ({ open }) => {
			const box = [3.7, 51.03, 3.78, 51.08];
			const search = `?language=en&layer=ndvi&date=2019-01-11&bbox=${box.join()}&overlay=false&bgLayer=MapBox_Satellite`;
			const { page } = await open({ search });
			await whenShown(page);

			assert.deepEqual([linkValue(page, "layer"), linkValue(page, "date")], ["ndvi", "2019-01-11"]);
			assert.equal(await page.locator("html").getAttribute("lang"), "en");
			assert.equal(linkValue(page, "overlay"), "false");
			assert.equal(linkValue(page, "bgLayer"), "NaturalEarth");
			await whenNotice(page, /MapBox_Satellite/);
			const [w, s, e, n] = (linkValue(page, "bbox") ?? "").split(",").map(Number);
			assert.ok(w <= box[0] && s <= box[1] && e >= box[2] && n >= box[3], "the map does not contain the box");
		},
	],
	[
		"2 parameters that are not ours stay as they came",
		async ({ open }) => {
			const { page } = await open({ search: "?utm=a%20b&layer=ndvi&x" });
			await whenShown(page);
			await whenAtRest(page);

			assert.ok(page.url().endsWith("&utm=a%20b&x"), page.url());
		},
	],
	[
		"3 the header has the title and the logo of the service, and leads to its overview",
		async ({ open, base, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			const brand = page.getByRole("link", { name: "Fixtures of the viewer's scenarios" });
			await whenLogoIs(page, [120, 40]);
			assert.equal(await brand.evaluate((link) => /** @type {any} */ (link).href), base);
			await page.screenshot({ path: join(outDir, "header.png") });

			await page.setViewportSize({ width: 390, height: 780 });
			assert.ok(await page.locator("#brand img").isVisible());
			await page.locator("#menu-button").click();
			await page.locator(".menu-title").waitFor();
			assert.equal(await page.locator(".menu-title").textContent(), "Fixtures of the viewer's scenarios");
			await page.screenshot({ path: join(outDir, "header-phone.png") });
		},
	],
	.../** @type {[string, Record<string, unknown>, number][]} */ ([
		["a logo that cannot be shown leaves the title alone", { logo: null }, 0],
		["without a logo the title is behind the sign of chronotile", {}, 1],
	]).map(
		([name, more, pictures]) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`3 ${name}`,
				async ({ open, base }) => {
					const { logo, ...config } = await (await fetch(new URL("viewer/config.json", base))).json();
					const { page } = await open({
						search: "?layer=ndvi",
						routes: { "/viewer/config\\.json": answerJson({ ...config, title: EVIL, ...more }) },
					});
					await whenShown(page);

					assert.equal(await page.locator("#brand").textContent(), EVIL);
					assert.equal(await page.locator("#brand img").count(), pictures);
				},
			]),
	),
	[
		"3 a link that is shared shows the same state and the same pixels elsewhere",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-03-02&view=${HERE},13&opacity=0.7&theme=dark` });
			await whenShown(page);
			await page.locator("#timeline").getByRole("button", { name: "Next date" }).click();
			await whenLinkSays(page, "date", "2019-03-07");
			await whenShown(page);
			await whenAtRest(page);
			const link = await shareLink(page);
			const picture = await mapPicture(page, join(outDir, "shared.png"));

			const again = await open({ search: new URL(link).search });
			await whenShown(again.page);
			await whenAtRest(again.page);
			assert.equal(again.page.url(), link);
			const same = await mapPicture(again.page, join(outDir, "shared-again.png"));
			assert.ok(picture.equals(same), "the pictures differ");
		},
	],
	[
		"3 a link brings back comparison, colours, areas, places, and what is played",
		async ({ open, outDir }) => {
			const area = encodeURIComponent("field~oxmvHorsU?_yF_|B??~xF");
			const search = [
				`?layer=ndvi_years&date=2019-03-02&view=${HERE},13&opacity=0.8&min=0.1&max=0.7&reversed=1&gaps=last`,
				"&compare=swipe&date2=2018-03-02&split=0.3&from=2018-06-01&to=2019-06-01&fps=2&step=2",
				`&pt=3.72,51.05;${HERE}&aoi=${area}&theme=dark`,
			].join("");
			const { page } = await open({ search, height: 1000 });
			await whenLinkShown(page);
			await page.locator("#share-button").click();
			const link = await page.getByLabel("Link", { exact: true }).inputValue();
			await page.keyboard.press("Escape");
			const asked = new URLSearchParams(search);
			const written = new URL(link).searchParams;
			for (const [key, value] of asked) assert.equal(written.get(key), value, key);
			const picture = await mapPicture(page, join(outDir, "whole.png"));

			const again = await open({ search: new URL(link).search, height: 1000 });
			await whenLinkShown(again.page);
			assert.equal(again.page.url(), link);
			const same = await mapPicture(again.page, join(outDir, "whole-again.png"));
			// Under marks the browser rounds colours differently if it has painted them in another order.
			const ROUNDING = 2;
			const off = await differenceOf(page, picture, same);
			assert.ok(off <= ROUNDING, `the pictures differ by ${off}`);
		},
	],
	[
		"4 Back and Forward walk through dates and layers",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi&date=2019-01-01" });
			await whenShown(page);
			await page.locator("#timeline").getByRole("button", { name: "Next date" }).click();
			await whenLinkSays(page, "date", "2019-01-06");
			await page.locator("#timeline").getByRole("button", { name: "Next date" }).click();
			await whenLinkSays(page, "date", "2019-01-11");
			await whenShown(page);
			await page.goBack();
			await whenLinkSays(page, "date", "2019-01-06");
			await page.goBack();
			await whenLinkSays(page, "date", "2019-01-01");
			await page
				.locator("#status[data-phase=shown]")
				.getByText("NDVI of 2019, 1 January 2019", { exact: true })
				.waitFor();
			await page.goForward();
			await page.goForward();
			await whenLinkSays(page, "date", "2019-01-11");
			await page
				.locator("#status[data-phase=shown]")
				.getByText("NDVI of 2019, 11 January 2019", { exact: true })
				.waitFor();
		},
	],
	[
		"a window that changes its size keeps the view of the link",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await whenAtRest(page);
			const view = linkValue(page, "view");
			await page.setViewportSize({ width: 700, height: 500 });
			await whenAtRest(page);

			assert.equal(linkValue(page, "view"), view);
		},
	],
	...[999, 1000].map(
		(height) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`a window that becomes ${height} pixels high centres its view to the pixel`,
				async ({ open }) => {
					const [lat, zoom] = [51.05, 13];
					const { page } = await open({ search: `?layer=ndvi&view=3.735,${lat},${zoom}` });
					await whenShown(page);
					await page.setViewportSize({ width: 1280, height });
					await whenAtRest(page);

					const map = await page.locator("#map").boundingBox();
					const tile = await page.locator("#map .leaflet-tile").first().boundingBox();
					assert.ok(map && tile);
					const sine = Math.sin((lat * Math.PI) / 180);
					const centre = (0.5 - Math.atanh(sine) / (2 * Math.PI)) * TILE_PX * 2 ** zoom;
					const top = Math.round(centre - map.height / 2);
					assert.equal((top + tile.y - map.y) % TILE_PX, 0);
				},
			]),
	),
	...[
		{ language: "nl", name: "Nederlands", date: "2 maart 2019", number: /\d,\d/ },
		{ language: "fr", name: "français", date: "2 mars 2019", number: /\d,\d/ },
		{ language: "de", name: "Deutsch", date: "2. März 2019", number: /\d,\d/ },
		{ language: "es", name: "español", date: "2 de marzo de 2019", number: /\d,\d/ },
		{ language: "pt", name: "português", date: "2 de março de 2019", number: /\d,\d/ },
		{ language: "en", name: "English", date: "2 March 2019", number: /\d\.\d/ },
	].map(
		({ language, name, date, number }) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`29 the viewer speaks ${name}`,
				async ({ open, outDir }) => {
					const other = language === "en" ? "fr" : "en";
					const search = `?language=${other}&layer=ndvi&date=2019-03-02&view=${HERE},12&pt=${HERE}`;
					const { page } = await open({ search });
					await whenShown(page);
					await page.locator("#language").selectOption(language);
					await page.waitForURL((url) => url.searchParams.get("language") === language);
					await whenShown(page);
					await whenAtRest(page);

					assert.equal(await page.locator("html").getAttribute("lang"), language);
					assert.match((await page.locator("#status").textContent()) ?? "", new RegExp(date));
					assert.equal(linkValue(page, "view"), `${HERE},12`);
					await page.locator("#chart").getByText(number).first().waitFor();
					await page.screenshot({ path: join(outDir, `language-${language}.png`) });
					await checkWords(page, language);
					await page.locator("#export-button").click();
					await page.locator("dialog[open]").getByRole("tab").nth(2).click();
					await page.locator("dialog[open] option").filter({ hasText: date }).waitFor({ state: "attached" });
				},
			]),
	),
	[
		"32 the colours are those of the system, of the link, and of the switch",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi", scheme: "dark" });
			await whenShown(page);
			await whenPageIsWhite(page, false);
			await page.emulateMedia({ colorScheme: "light" });
			await whenPageIsWhite(page, true);
			const button = page.locator("#theme-button");
			assert.equal(await button.getAttribute("aria-label"), "Colours: as in the system");
			await button.click();
			await button.click();
			await whenLinkSays(page, "theme", "dark");
			assert.equal(await button.getAttribute("aria-label"), "Colours: dark");
			await whenPageIsWhite(page, false);
			await button.click();
			await whenLinkSays(page, "theme", null);

			const linked = await open({ search: "?layer=ndvi&theme=light", scheme: "dark" });
			await whenShown(linked.page);
			await whenPageIsWhite(linked.page, true);

			const dark = await open({ search: "?layer=ndvi&theme=dark" });
			await whenShown(dark.page);
			await whenPageIsWhite(dark.page, false);
			assert.equal(linkValue(dark.page, "bgLayer"), "NaturalEarth_Dark");
		},
	],
	[
		"39 in another page the map takes nothing before it is asked to, and leads to the whole viewer",
		async ({ open, base, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			const search = `?layer=ndvi&date=2019-03-02&view=${HERE},12&embed=1&theme=dark`;
			const source = new URL(`viewer/${search}`, base).href.replaceAll("&", "&amp;");
			const frame = await showOtherPage(page, base, `<iframe width="800" height="500" src="${source}"></iframe>`);
			await frame.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor();
			const toWhole = frame.getByRole("link", { name: "Open the viewer" });
			await frame.locator(".open-full[href*='date=2019-03-02']").waitFor();
			await page.screenshot({ path: join(outDir, "embed.png") });
			assert.ok(await frame.locator(".top").isHidden());
			assert.ok(await frame.locator("#panel").isHidden());
			await page.mouse.move(300, 200);
			await page.mouse.wheel(0, -500);
			await page.waitForTimeout(700);
			const whole = new URL((await toWhole.getAttribute("href")) ?? "").searchParams;
			assert.deepEqual(
				["layer", "date", "view", "theme", "embed", "ui"].map((key) => whole.get(key)),
				["ndvi", "2019-03-02", `${HERE},12`, "dark", null, null],
			);

			await frame.getByRole("button", { name: "Click or press Enter to use the map" }).press("Enter");
			await page.mouse.wheel(0, -500);
			await frame.locator(".open-full:not([href*=',12'])").waitFor();
			assert.deepEqual(await page.frames()[1].evaluate(() => [localStorage.length, sessionStorage.length]), [0, 0]);
		},
	],
	[
		"39 the lines for another page are those that the share dialog gives",
		async ({ open, base }) => {
			const { page } = await open({ search: `?layer=ndvi&view=${HERE},12` });
			await whenShown(page);
			await page.locator("#share-button").click();
			const lines = await page.getByLabel("For your own page").inputValue();
			const copy = page.locator("button[aria-describedby=label-share-embed]");
			await copy.click();
			await page.locator(".dialog button + [role=status]", { hasText: /Copied|Ctrl/ }).waitFor({ state: "attached" });
			await page.keyboard.press("Escape");
			await whenFocused(page, "share-button");
			const frame = await showOtherPage(page, base, lines);
			await frame.getByRole("button", { name: "Click or press Enter to use the map" }).waitFor();
			assert.match((await page.locator("iframe").getAttribute("title")) ?? "", /NDVI of 2019/);
		},
	],
	[
		"with ui=min there is the map, and the date, and no shield",
		async ({ open, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi&ui=min" });
			await whenShown(page);
			await page.screenshot({ path: join(outDir, "minimal.png") });
			assert.ok(await page.locator(".top").isHidden());
			assert.ok(await page.locator("#timeline").isVisible());
			assert.equal(await page.locator(".shield").count(), 0);
			await whenAtRest(page);
			assert.equal(linkValue(page, "ui"), "min");
		},
	],
	[
		"40 hostile values in the link are shown as text",
		async ({ open }) => {
			const evil = encodeURIComponent(EVIL);
			const { page, violations } = await open({
				search: `?layer=${evil}&date=${evil}&style=${evil}&pt=${evil}&bgLayer=${evil}&aoi=${evil}&compare=${evil}`,
			});
			await whenShown(page);

			const notices = await noticeTexts(page);
			assert.equal(notices.length, 1);
			for (const key of ["layer", "date", "style", "pt", "bgLayer", "aoi", "compare"]) {
				assert.ok(notices[0].includes(`${key}=`), `${key} is not told of: ${notices[0]}`);
			}
			assert.equal(await page.locator("img[src=x]").count(), 0);
			assert.deepEqual(violations, []);
		},
	],
	[
		"40 hostile names from the server are shown as text",
		async ({ open, base }) => {
			const { layers } = await (await fetch(new URL("layers", base))).json();
			const [first] = layers;
			const hostile = { ...first, title: EVIL, attribution: EVIL, styles: [{ ...first.styles[0], title: EVIL }] };
			const legend = {
				title: EVIL,
				units: EVIL,
				type: "classes",
				classes: [{ value: 1, color: `red;}${EVIL}`, label: EVIL }],
			};
			const { page, violations } = await open({
				search: `?pt=${HERE}&aoi=${encodeURIComponent(`${encodeURIComponent(EVIL)}~wgjvH{|eUoKfKvKvJ`)}`,
				allowed: FAILED_REQUEST,
				routes: { "/layers$": answerJson({ layers: [hostile] }), "/legend\\.json": answerJson(legend) },
			});
			await whenShown(page);
			await page.locator("#legend-body").getByText(EVIL).first().waitFor();

			assert.equal(await page.locator("img[src=x]").count(), 0);
			assert.equal(await page.locator("#layer-attribution").textContent(), EVIL);
			assert.deepEqual(violations, []);
		},
	],
	[
		"41 map, legend, date, chart and link are printed on one page",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-03-02&view=${HERE},12&pt=${HERE}` });
			await whenShown(page);
			await page.locator("#chart .plot-drawing").first().waitFor();
			await whenAtRest(page);
			const paper = await page.pdf({ path: join(outDir, "print.pdf"), preferCSSPageSize: true, printBackground: true });
			assert.equal(paper.toString("latin1").match(/\/Type \/Page\b/g)?.length, 1);

			await page.emulateMedia({ media: "print" });
			await page.setViewportSize({ width: 1047, height: 718 });
			await page.screenshot({ path: join(outDir, "print.png") });
			for (const selector of ["#map", "#status", "#map-keys .key", "#chart .plot-drawing", "#print-link"]) {
				assert.ok(await page.locator(selector).first().isVisible(), selector);
			}
			assert.equal(await page.locator("#print-link").textContent(), page.url());
			assert.match((await page.locator("#status").textContent()) ?? "", /2 March 2019/);
			for (const selector of [".top", "#panel", "#timeline", "#map-tools", "#language", "#home-button"]) {
				assert.ok(await page.locator(selector).isHidden(), selector);
			}
			// The chart takes its new width with the next frame.
			await page.waitForFunction(() => document.documentElement.scrollWidth === window.innerWidth);
		},
	],
	[
		"the attribution of the layer is in sight",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);

			assert.ok(await page.getByText("Formulas, made for tests").isVisible());
		},
	],
	[
		"our own keys come back",
		async ({ open }) => {
			const { page } = await open({
				search: `?layer=ndvi&view=${HERE},12&opacity=0.4&style=viridis&pt=${HERE}&bgLayer=None&theme=dark&gaps=last`,
			});
			await whenShown(page);
			await page.locator("#chart .plot-drawing").first().waitFor();
			await whenAtRest(page);

			assert.deepEqual(
				["view", "opacity", "style", "pt", "bgLayer", "theme", "gaps"].map((key) => linkValue(page, key)),
				[`${HERE},12`, "0.4", "viridis", HERE, "None", "dark", "last"],
			);
		},
	],
	[
		"the layer that is configured is the first one, under the name of the service",
		async ({ open }) => {
			const config = { title: "Vegetation of here", default_layer: "one", base_maps: [] };
			const { page } = await open({ routes: { "/viewer/config\\.json": answerJson(config) } });
			await whenShown(page);

			assert.equal(linkValue(page, "layer"), "one");
			assert.match(await page.title(), / · Vegetation of here$/);
		},
	],
	[
		"without its configuration the viewer works as if nothing were configured",
		async ({ open }) => {
			const { page } = await open({
				allowed: FAILED_REQUEST,
				routes: { "/viewer/config\\.json": answerStatus(503) },
			});
			await whenShown(page);

			assert.match(await page.title(), / · chronotile$/);
		},
	],
	[
		"29 how fine the cells are is said at the scale, and the note whole in three lines at most, in every language",
		async ({ open, outDir }) => {
			for (const language of ["en", "nl", "fr", "de", "es", "pt"]) {
				const { page } = await open({
					search: `?layer=ndvi_years&date=2019-03-02&view=${HERE},9&gaps=last&language=${language}`,
				});
				await whenShown(page);
				await page.locator(".leaflet-control-scale[title*='24']").waitFor();
				await page.locator("#timeline .note").filter({ hasText: /\w/ }).waitFor();
				await page.locator("#timeline [data-part=zoom]").waitFor();
				await page.screenshot({ path: join(outDir, `note-${language}.png`) });
				const { isCut, height } = await page.locator("#timeline .note").evaluate((note) => ({
					isCut: note.scrollWidth > note.clientWidth + 1,
					height: note.clientHeight,
				}));
				assert.ok(!isCut && height <= 50, `${language}: ${height} px`);
			}
		},
	],
	[
		"names of towns lie over the data, apart from one another, and go with the lines",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-03-02&view=${HERE},9` });
			await whenShown(page);
			await page.locator("#map .town").getByText("Gent", { exact: true }).waitFor();
			await page.getByText("Names: GeoNames.").waitFor();
			await page.screenshot({ path: join(outDir, "names.png") });
			const overlaps = await page.locator("#map .town > span").evaluateAll((all) => {
				const boxes = all.map((each) => each.getBoundingClientRect());
				return boxes.flatMap((one, at) =>
					boxes
						.slice(at + 1)
						.filter(
							(two) => one.left < two.right && two.left < one.right && one.top < two.bottom && two.top < one.bottom,
						),
				).length;
			});
			assert.equal(overlaps, 0);
			const few = await page.locator("#map .town").count();
			await inspect(page);
			/** Returns the distance between the name of Ghent and Ghent, on this copy of the world. */
			const off = () =>
				page.evaluate(() => {
					const [map] = /** @type {any} */ (window).parts.maps.peek();
					const ghent = [...document.querySelectorAll("#map .town")].find((each) => each.textContent === "Gent");
					const named = ghent?.getBoundingClientRect();
					if (!named) return null;
					const frame = map.getContainer().getBoundingClientRect();
					const { x, y } = map.latLngToContainerPoint([51.05, 3.717]);
					const world = 256 * 2 ** map.getZoom();
					const across = named.x - frame.x - x;
					return Math.hypot(across - world * Math.round(across / world), named.y - frame.y - y) / 2 ** map.getZoom();
				});
			const places = [
				[3.735, 51.05, 9],
				[3.9, 51.1, 10],
				[363.735, 51.05, 11],
				[3.735, 51.05, 9],
			];
			for (const [lon, lat, zoom] of places) {
				await page.evaluate(
					(view) => {
						/** @type {any} */ (window).parts.destination.value = { view };
					},
					{ lon, lat, zoom },
				);
				await whenAtRest(page, "#map .town");
				// A thousandth of a degree, as the towns' places are rounded, and half a pixel.
				assert.ok(((await off()) ?? 9) < 0.003, `${lon},${lat},${zoom}: ${await off()}`);
			}
			// The previous destination does not hold the map.
			await page.getByRole("button", { name: "Zoom in", exact: true }).click();
			await page
				.locator("#map .town")
				.getByText("Zelzate", { exact: true })
				.or(page.locator("#map .town").getByText("Evergem", { exact: true }))
				.first()
				.waitFor();
			assert.ok(few > 10);

			await page.locator("#ground-button").click();
			await page.getByLabel("Borders, coasts and names").uncheck();
			await page.locator("#map .town > span").first().waitFor({ state: "detached" });
			assert.ok(await page.getByText("Names: GeoNames.").isHidden());
			await page.getByLabel("Borders, coasts and names").check();
			await page.locator("#map .town > span").first().waitFor();
		},
	],
	[
		"a layer too small to be seen says so, and leads to where it is seen",
		async ({ open, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi&date=2019-03-02&view=0,20,2" });
			await whenShown(page);
			await page.getByText("NDVI of 2019 is too small to see at this zoom.").waitFor();
			await page.screenshot({ path: join(outDir, "too-small.png") });
			assert.equal((await noticeTexts(page)).length, 1);
			await page.locator("#notices").getByRole("button", { name: "Zoom to the layer" }).click();
			await page.locator("#notices li").waitFor({ state: "detached" });
			await page.locator(".data-tiles canvas").first().waitFor();
		},
	],
	[
		"what the server says of an error stands behind words of the page's language",
		async ({ open }) => {
			const { page } = await open({
				search: "?language=nl",
				allowed: FAILED_REQUEST,
				routes: { "/layers$": answerStatus(503, "Come back later.") },
			});
			await page.getByText("De server meldt: Come back later.").waitFor();
		},
	],
	[
		"the unit of a layer and dates with their time of day are written whole, on phones too",
		async ({ open, outDir }) => {
			for (const language of ["en", "nl", "fr", "de", "es", "pt"]) {
				const { page } = await open({
					search: `?layer=hours&language=${language}&pt=3.73,51.055`,
					width: 360,
					height: 740,
				});
				await page.locator("#chart .plot-drawing").first().waitFor();
				await page.screenshot({ path: join(outDir, `hours-${language}.png`) });
				const date = page.locator("#timeline .date");
				await page.locator("#timeline .date", { hasText: /2019.*:00/ }).waitFor();
				const isCut = await date
					.locator("span")
					.evaluate((each) => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1);
				assert.ok(!isCut, `${language}: the date is cut`);
				assert.match((await page.locator("#chart-title").textContent()) ?? "", /\(mg m⁻³\)$/);
			}
		},
	],
	[
		"a layer that is not there gives a notice and the first layer",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=NO_SUCH_LAYER", allowed: FAILED_REQUEST });
			await whenShown(page);

			await whenNotice(page, /Layer NO_SUCH_LAYER does not exist; .* is shown instead/);
			assert.match(await page.title(), new RegExp((await page.locator("#status").textContent()) ?? "?"));
		},
	],
	[
		"a date without data gives a notice and the nearest date",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi&date=1955-05-05" });
			await whenShown(page);

			await whenNotice(page, /no data for 5 May 1955.*1 January 2019/);
			assert.equal(linkValue(page, "date"), "2019-01-01");
		},
	],
	[
		"a day within a period shows the period, as tiles of that day do",
		async ({ base, open }) => {
			for (const [date, start] of [
				["2023-06-30", "2023-06-21"],
				["2023-06-20", "2023-06-11"],
				["2023-06", "2023-06-01"],
			]) {
				const { page } = await open({ search: `?layer=dekads&date=${date}` });
				await whenShown(page);

				await whenNoNotices(page);
				assert.equal(linkValue(page, "date"), start);
			}
			const tile = await fetch(new URL("tiles/dekads/WebMercatorQuad/12/2090/1370.png?datetime=2023-06-30", base));
			assert.equal(tile.headers.get("Chronotile-Time"), "2023-06-21T00:00:00Z");
		},
	],
	[
		"layers that do not load give the reason, and Try again works",
		async ({ open }) => {
			let isAway = true;
			const { page } = await open({
				allowed: FAILED_REQUEST,
				routes: {
					"/layers$": (route) => (isAway ? answerStatus(503, "Come back later.")(route) : route.fallback()),
				},
			});
			await page.getByText(/layers could not be loaded: The server says: Come back later\./).waitFor();
			isAway = false;
			await page.getByRole("button", { name: "Try again" }).click();
			await whenShown(page);

			await whenNoNotices(page);
		},
	],
	[
		"a server without layers says so",
		async ({ open }) => {
			const { page } = await open({ routes: { "/layers$": answerJson({ layers: [] }) } });

			await page.locator("#status").getByText("This server has no layers yet.").waitFor();
		},
	],
	[
		"a part that does not load is told, and tried again",
		async ({ open }) => {
			let isAway = true;
			const { page } = await open({
				search: "?layer=ndvi",
				allowed: /Failed to load resource|dynamically imported module/,
				routes: { "/js/wanted-": (route) => (isAway ? route.abort() : route.fallback()) },
			});
			await whenShown(page);
			await page.locator("#help-button").click();
			await page.getByText("A part of the viewer could not be loaded").waitFor();
			isAway = false;
			await page.locator("#help-button").click();
			await page.getByRole("dialog", { name: "Help and keyboard" }).waitFor();
		},
	],
	[
		"until the first picture nothing is asked for that it does not need, and all the rest after it",
		async ({ open }) => {
			const { held, release } = makeHold();
			const { page, requests } = await open({
				search: `?layer=ndvi&view=${HERE},12`,
				routes: { "\\.ctc": (route) => held.then(() => route.fallback()) },
			});
			/** Maximum wait for the picture. */
			const WAIT_MS = 4000;
			const LATER = /data\/(land|borders)\.json|js\/(next|wanted|video)-/;
			await whenGroundIs(page, LAND);
			const asked = await page.evaluate(() =>
				performance.getEntriesByType("resource").map(({ name, startTime }) => ({ name, startTime })),
			);
			assert.deepEqual(
				asked.filter(({ name, startTime }) => LATER.test(name) && startTime < WAIT_MS),
				[],
			);
			release();
			await whenShown(page);
			await page.locator("#legend-body").getByText("0.8").first().waitFor();
			await page.locator(".leaflet-outlines-pane canvas").first().waitFor();

			// The script sends the same requests that the page preloads.
			for (const path of ["/i18n/en.json", "/viewer/config.json", "/layers"]) {
				assert.equal(requests.filter((url) => new URL(url).pathname.endsWith(path)).length, 1, path);
			}
			assert.ok(requests.some((url) => url.endsWith("data/land.json")));
			// Then unused scripts, but no large library.
			await until(page, async () => requests.some((url) => url.includes("js/wanted-")));
			assert.ok(!requests.some((url) => url.includes("js/video-")));
		},
	],
	[
		"fine land takes the place of coarse land within a frame",
		async ({ open }) => {
			const { held, release } = makeHold();
			const { page } = await open({
				search: `?layer=ndvi&view=${HERE},12`,
				routes: { "vendor/land\\.json": (route) => held.then(() => route.fallback()) },
			});
			await page.locator("#status[data-phase=shown]").waitFor();
			await whenGroundIs(page, LAND);
			await page.evaluate(() => {
				const seen = /** @type {any} */ (window);
				seen.bare = 0;
				const look = () => {
					const tiles = [...document.querySelectorAll(".leaflet-land-pane canvas")];
					if (!tiles.some((tile) => getComputedStyle(tile).visibility === "visible")) seen.bare += 1;
					requestAnimationFrame(() => setTimeout(look));
				};
				look();
			});
			release();
			await page.locator(".leaflet-outlines-pane canvas").first().waitFor();
			await whenGroundIs(page, LAND);

			assert.equal(await page.evaluate(() => /** @type {any} */ (window).bare), 0);
		},
	],
	[
		"land that does not load is told, and tried again; the coarse one is there",
		async ({ open }) => {
			let isAway = true;
			const { page } = await open({
				search: `?layer=ndvi&view=${HERE},12`,
				allowed: FAILED_REQUEST,
				routes: { "data/borders\\.json": (route) => (isAway ? route.abort() : route.fallback()) },
			});
			await page.getByText("Coasts and borders could not be loaded").waitFor();
			await whenGroundIs(page, LAND);
			assert.equal(await page.locator(".leaflet-outlines-pane canvas").count(), 0);
			isAway = false;
			await page.getByRole("button", { name: "Try again" }).click();
			await page.locator(".leaflet-outlines-pane canvas").first().waitFor();

			await whenNoNotices(page);
		},
	],
	[
		"what is pressed before the first picture is answered, and brings the rest of the page",
		async ({ open }) => {
			const { held, release } = makeHold();
			const { page } = await open({
				search: "?layer=ndvi",
				routes: { "\\.ctc": (route) => held.then(() => route.fallback()) },
			});
			await page.locator(".leaflet-land-pane canvas").first().waitFor();
			await page.locator("#help-button").click();
			await page.getByRole("dialog", { name: "Help and keyboard" }).waitFor();
			await page.keyboard.press("Escape");
			await page.locator("#legend-body").getByText("0.8").first().waitFor();
			release();
			await whenShown(page);

			assert.equal(await page.getByRole("dialog").count(), 0);
		},
	],
	[
		"parts that do not load are told once, and tried again all together",
		async ({ open }) => {
			let isAway = true;
			const away = (/** @type {import("./harness.mjs").Route} */ route) => (isAway ? route.abort() : route.fallback());
			const { page } = await open({
				search: "?layer=ndvi",
				allowed: FAILED_REQUEST,
				routes: { "/js/next-": away },
			});
			await whenShown(page);
			await whenNotice(page, /^A part of the viewer could not be loaded/);
			assert.equal((await noticeTexts(page)).length, 1);
			assert.equal(await page.locator("#legend-body").count(), 0);
			isAway = false;
			await page.getByRole("button", { name: "Try again" }).click();
			await page.locator("#legend-body").getByText("0.8").first().waitFor();
			await page.locator(".strip[data-loaded]").waitFor();
			await page.locator("#language option").first().waitFor({ state: "attached" });

			await whenNoNotices(page);
		},
	],
	[
		"a viewer that cannot start says so",
		async ({ open }) => {
			const { page } = await open({
				allowed: FAILED_REQUEST,
				routes: { "/js/shared-": (route) => route.abort() },
			});
			// The message appears after eight seconds of the page's clock, which may have passed.
			const isSeenAfter = await page.locator("#stuck").evaluate((stuck) => {
				const [appearing] = stuck.getAnimations();
				return [7000, 9000].map((ms) => {
					appearing.currentTime = ms;
					return stuck.checkVisibility({ visibilityProperty: true });
				});
			});
			assert.deepEqual(isSeenAfter, [false, true]);

			await page.getByText(/could not be started/).waitFor();
		},
	],
]);

/**
 * Asserts that no key of a text is shown, and no English text if the language has another one.
 * @param {Page} page @param {string} language
 */
async function checkWords(page, language) {
	const [texts, english] = await Promise.all([readTexts(language), readTexts("en")]);
	const said = await page.evaluate(() => {
		const spoken = ["aria-label", "title", "placeholder", "aria-valuetext", "alt"];
		const words = [...document.querySelectorAll("body *")].flatMap((element) => [
			...spoken.map((name) => element.getAttribute(name) ?? ""),
			...[...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ nodeValue }) => nodeValue ?? ""),
		]);
		return [...new Set(words.map((each) => each.trim()).filter((each) => each !== ""))];
	});
	const keys = said.filter((words) => words in english);
	assert.deepEqual(keys, [], "keys are shown");
	const here = new Set(Object.values(texts));
	const foreign = Object.values(english).filter((words) => typeof words === "string" && !here.has(words));
	const isForeign = language === "en" ? () => false : (/** @type {string} */ words) => foreign.includes(words);
	assert.deepEqual(said.filter(isForeign), [], "English is shown");
}
