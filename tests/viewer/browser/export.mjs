/**
 * Scenarios 23 to 26 and 28 of the viewer: exports to other programs. `node export.mjs BASE_URL OUT_DIR
 * [PART_OF_A_NAME]`.
 *
 * The files that were downloaded are in OUT_DIR afterwards, with `about.json`, which says where on them the data lie
 * and what was copied: `test_export.py` opens them with other programs.
 */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { centreOf, FIXTURES, TILE_COLUMN, TILE_ROW } from "./formula.mjs";
import { FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { brokenRules, inspect, stillPicture, whenAtRest, whenFocused } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("./harness.mjs").Check} Check */
/** @typedef {import("./harness.mjs").Opened} Opened */

const DATE = "2019-06-05";
const FILM_STEP = 9;
const CENTRE = centreOf({ row: 256, column: 256 });
const PLAIN = `view=${CENTRE.lon.toFixed(5)},${CENTRE.lat.toFixed(5)},12&overlay=false&bgLayer=None`;
/** Description of the files for `test_export.py`. @type {Record<string, unknown>} */
const about = {};

/** @param {string} outDir @param {Record<string, unknown>} more */
async function note(outDir, more) {
	await mkdir(outDir, { recursive: true });
	await writeFile(join(outDir, "about.json"), JSON.stringify(Object.assign(about, more)));
}

/** @param {Page} page */
async function whenShown(page) {
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
	await page.waitForFunction(() => !document.getElementById("export-button")?.hidden);
}

/** @param {import("./harness.mjs").Bench} bench @param {string} search @param {object} [options] */
async function openMap(bench, search, options = {}) {
	const opened = await bench.open({ search, width: 1100, height: 700, ...options });
	await whenShown(opened.page);
	return opened;
}

/** @param {Page} page @param {"Picture" | "Film" | "Data" | "Copy as"} tab */
async function openExport(page, tab) {
	await page.locator("#export-button").click();
	await page.getByRole("tab", { name: tab }).click();
	if (tab === "Picture" || tab === "Film") await page.locator(".export-preview canvas").waitFor();
}

/** Returns the open dialog. @param {Page} page */
const dialogOf = (page) => page.getByRole("dialog");

/**
 * Saves the download of a button under a name.
 * @param {Page} page
 * @param {string} button
 * @param {string} outDir
 * @param {string} name
 */
async function download(page, button, outDir, name) {
	const [file] = await Promise.all([
		page.waitForEvent("download", { timeout: 120_000 }),
		dialogOf(page).getByRole("button", { name: button }).click(),
	]);
	await file.saveAs(join(outDir, name));
	return file.suggestedFilename();
}

/**
 * Pixels of a PNG at some places.
 * @param {Page} page
 * @param {Buffer} png
 * @param {[x: number, y: number][]} places
 * @returns {Promise<number[][]>}
 */
const pixelsOf = (page, png, places) =>
	page.evaluate(
		async ({ base64, at }) => {
			const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
			const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
			const context = /** @type {any} */ (new OffscreenCanvas(picture.width, picture.height).getContext("2d"));
			context.drawImage(picture, 0, 0);
			return at.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data]);
		},
		{ base64: png.toString("base64"), at: places },
	);

/**
 * Returns the position of the maps' frame on the page, and the north-western corner of the layer in it.
 * @param {Page} page
 */
async function placesOf(page) {
	await inspect(page);
	return page.evaluate(
		([across, down]) => {
			const { min } = /** @type {any} */ (window).parts.maps.peek()[0].getPixelBounds();
			const frame = /** @type {HTMLElement} */ (document.getElementById("map-frame")).getBoundingClientRect();
			return {
				frame: { x: frame.x, y: frame.y, width: frame.width, height: frame.height },
				corner: { x: 256 * across - min.x, y: 256 * down - min.y },
			};
		},
		[TILE_COLUMN, TILE_ROW],
	);
}

/** @type {Check} */
async function picture(bench) {
	const { page } = await openMap(
		bench,
		`?layer=ndvi&date=${DATE}&view=${CENTRE.lon.toFixed(5)},${CENTRE.lat.toFixed(5)},12`,
	);
	// Pictures are without the names of towns.
	await page.locator(".leaflet-names-pane .town").first().waitFor({ state: "attached" });
	await page.locator(".leaflet-names-pane").evaluate((pane) => {
		/** @type {any} */ (pane).style.display = "none";
	});
	const screen = await stillPicture(page);
	const { frame } = await placesOf(page);
	await openExport(page, "Picture");
	const name = await download(page, "Save picture", bench.outDir, "picture.png");
	await dialogOf(page).getByLabel("Size", { exact: true }).selectOption("2");
	await download(page, "Save picture", bench.outDir, "double.png");
	for (const label of ["Title", "Date", "Legend", "Scale", "North"])
		await dialogOf(page).getByLabel(label, { exact: true }).uncheck();
	await dialogOf(page).getByLabel("Size", { exact: true }).selectOption("1");
	await download(page, "Save picture", bench.outDir, "plain.png");

	assert.equal(name, `ndvi_${DATE}.png`);
	/** Positions outside of controls and labels. @type {[number, number][]} */
	const places = Array.from({ length: 60 }, (_, at) => [
		Math.round(frame.width * (0.35 + 0.004 * at)),
		130 + ((at * 37) % 300),
	]);
	const onScreen = await pixelsOf(
		page,
		screen,
		places.map(([x, y]) => [x + Math.round(frame.x), y + Math.round(frame.y)]),
	);
	const [once, twice, plain] = await Promise.all(
		["picture.png", "double.png", "plain.png"].map((each) => readFile(join(bench.outDir, each))),
	);
	assert.deepEqual(await pixelsOf(page, once, places), onScreen);
	assert.deepEqual(await pixelsOf(page, plain, places), onScreen);
	assert.deepEqual(
		await pixelsOf(
			page,
			twice,
			places.map(([x, y]) => [2 * x, 2 * y]),
		),
		onScreen,
	);
	await note(bench.outDir, { picture: { width: Math.round(frame.width), height: Math.round(frame.height) } });
}

/** @type {Check} */
async function comparison(bench) {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&compare=swipe&date2=2019-08-04&${PLAIN}`);
	await page.waitForFunction(() => document.querySelectorAll("#map-frame .data-tiles").length === 2);
	await page.locator("#map-frame[data-shown-b=shown]").waitFor();
	const screen = await stillPicture(page);
	const { frame } = await placesOf(page);
	await openExport(page, "Picture");
	await download(page, "Save picture", bench.outDir, "comparison.png");

	/** @type {[number, number][]} */
	const places = [0.36, 0.4, 0.44, 0.56, 0.6, 0.64].flatMap((share) =>
		[110, 150, 190].map((y) => /** @type {[number, number]} */ ([Math.round(frame.width * share), y])),
	);
	const onScreen = await pixelsOf(
		page,
		screen,
		places.map(([x, y]) => [x + Math.round(frame.x), y + Math.round(frame.y)]),
	);
	assert.deepEqual(await pixelsOf(page, await readFile(join(bench.outDir, "comparison.png")), places), onScreen);
}

/** @type {Check} */
async function data(bench) {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`);
	await openExport(page, "Data");
	const name = await download(page, "Download", bench.outDir, "view.tif");
	await dialogOf(page).getByLabel("Dates", { exact: true }).selectOption("several");
	await dialogOf(page).getByLabel("From", { exact: true }).fill("2019-06-01");
	await dialogOf(page).getByLabel("From", { exact: true }).press("Tab");
	await dialogOf(page).getByLabel("To", { exact: true }).fill("2019-06-15");
	await dialogOf(page).getByLabel("To", { exact: true }).press("Tab");
	await dialogOf(page).getByLabel("Format", { exact: true }).selectOption("NetCDF");
	await page.getByText("3 dates in one file").waitFor();
	await download(page, "Download", bench.outDir, "interval.nc");

	assert.match(name, /\.tif$/);
	await note(bench.outDir, { data: { date: DATE, index: FIXTURES.ndvi.dates.indexOf(DATE) } });
}

/** @type {Check} */
async function tooMuchData(bench) {
	const refused = {
		type: "limit-exceeded",
		title: "Limit exceeded",
		status: 400,
		detail: "max_coverage_bytes: at most 1, 2 requested; request less",
	};
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`, {
		allowed: FAILED_REQUEST,
		routes: {
			"/coverage\\?": (/** @type {import("./harness.mjs").Route} */ route) =>
				route.fulfill({ status: 400, contentType: "application/problem+json", body: JSON.stringify(refused) }),
		},
	});
	await openExport(page, "Data");
	await dialogOf(page).getByRole("button", { name: "Download" }).click();

	await page.getByRole("alert").filter({ hasText: "request less" }).waitFor();
}

/** A field without its north-eastern corner. */
const AREA = [
	[3.74, 50.99],
	[3.8, 50.99],
	[3.8, 51.01],
	[3.77, 51.03],
	[3.74, 51.03],
	[3.74, 50.99],
];

/** Adds an area to the viewer as a file. @param {Page} page */
async function addArea(page) {
	const body = { type: "Feature", properties: { name: "Field" }, geometry: { type: "Polygon", coordinates: [AREA] } };
	const choosing = page.waitForEvent("filechooser");
	await page.locator("#areas-panel").getByRole("button", { name: "Upload" }).click();
	await (await choosing).setFiles({
		name: "field.geojson",
		mimeType: "application/geo+json",
		buffer: Buffer.from(JSON.stringify(body)),
	});
	await page.locator("#areas-panel").getByText("Field").first().waitFor();
}

/** @type {Check} */
async function areaOnly(bench) {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`);
	await addArea(page);
	await openExport(page, "Data");
	await dialogOf(page).getByLabel("Extent", { exact: true }).selectOption({ label: "Field" });
	await download(page, "Download", bench.outDir, "area.tif");
	await page.getByRole("tab", { name: "Picture" }).click();
	await page.locator(".export-preview canvas").waitFor();
	await page.getByText(/PNG, \d+ × \d+ pixels/).waitFor();
	await download(page, "Save picture", bench.outDir, "area.png");

	await note(bench.outDir, { area: AREA });
}

/** @param {Page} page @param {string} kind */
async function setUpFilm(page, kind) {
	await openExport(page, "Film");
	await dialogOf(page).getByLabel("Step, in dates", { exact: true }).fill(String(FILM_STEP));
	await dialogOf(page).getByLabel("Format", { exact: true }).selectOption(kind);
	await page.getByText(/^9 frames, 2.3 s/).waitFor();
}

/** @type {(kind: "gif" | "mp4" | "webm") => Check} */
const film = (kind) => async (bench) => {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`);
	await whenAtRest(page, "#map-frame");
	const { frame, corner } = await placesOf(page);
	const before = await page.evaluate(() => window.history.length);
	await setUpFilm(page, kind);
	const name = await download(page, "Make film", bench.outDir, `film.${kind}`);

	assert.equal(name, `ndvi_2019-01-01_2019-12-27.${kind}`);
	// It is spoken too, a while later.
	await dialogOf(page)
		.getByText(/^The film is saved/)
		.waitFor();
	await page.waitForFunction((date) => new URLSearchParams(window.location.search).get("date") === date, DATE);
	assert.equal(await page.evaluate(() => window.history.length), before, "a film is no step that Back would go");
	const dates = FIXTURES.ndvi.dates.filter((_, index) => index % FILM_STEP === 0);
	await note(bench.outDir, { film: { frame, corner, dates, fps: 4 } });
};

/** @type {Check} */
async function filledFilm(bench) {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`);
	await openExport(page, "Film");
	await dialogOf(page)
		.getByLabel(/^Fill gaps/)
		.check();
	await dialogOf(page).getByLabel("From", { exact: true }).fill("2019-02-01");
	await dialogOf(page).getByLabel("From", { exact: true }).press("Tab");
	await dialogOf(page).getByLabel("To", { exact: true }).fill("2019-03-15");
	await dialogOf(page).getByLabel("To", { exact: true }).press("Tab");
	await dialogOf(page).getByLabel("Format", { exact: true }).selectOption("gif");
	await download(page, "Make film", bench.outDir, "filled.gif");

	const { frame, corner } = await placesOf(page);
	const dates = FIXTURES.ndvi.dates.filter((date) => date >= "2019-02-01" && date <= "2019-03-15");
	await note(bench.outDir, {
		filled: { frame, corner, indexes: dates.map((date) => FIXTURES.ndvi.dates.indexOf(date)) },
	});
}

/** @type {Check} */
async function picturesFilm(bench) {
	const { page } = await openMap(bench, `?layer=rgb&${PLAIN}`);
	await openExport(page, "Film");
	await dialogOf(page).getByLabel("Format", { exact: true }).selectOption("gif");
	await dialogOf(page).getByLabel("Size", { exact: true }).selectOption("0.5");
	await download(page, "Make film", bench.outDir, "pictures.gif");
	assert.equal(await page.getByRole("tab", { name: "Data" }).count(), 0, "a composite has no numbers");
}

/** @type {Check} */
async function cancelled(bench) {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`);
	/** @type {string[]} */
	const files = [];
	page.on("download", (file) => files.push(file.suggestedFilename()));
	await openExport(page, "Film");
	await dialogOf(page).getByLabel("Format", { exact: true }).selectOption("gif");
	// Runs in the page, so that no film is finished before the press.
	const cancelling = page.evaluate(
		() =>
			new Promise((resolve) => {
				const dialog = /** @type {Element} */ (document.querySelector("dialog[open]"));
				const look = new MutationObserver(() => {
					if (!/Frame ([2-9]|[1-6]\d) of 73/.test(dialog.textContent ?? "")) return;
					look.disconnect();
					const buttons = [...dialog.querySelectorAll("button")];
					buttons.find(({ textContent }) => textContent === "Cancel")?.click();
					resolve(null);
				});
				look.observe(dialog, { subtree: true, childList: true, characterData: true });
			}),
	);
	await page.getByRole("button", { name: "Make film" }).click();
	await cancelling;

	await dialogOf(page).getByText("Cancelled: no file was made.").waitFor();
	await whenAtRest(page);
	assert.deepEqual(files, []);
	await page.keyboard.press("Escape");
	await page.waitForFunction((date) => new URLSearchParams(window.location.search).get("date") === date, DATE);
}

/** @type {Check} */
async function withoutEncoder(bench) {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`);
	await page.evaluate(() => {
		/** @type {any} */ (window).VideoEncoder = undefined;
		Reflect.deleteProperty(window, "VideoEncoder");
	});
	await openExport(page, "Film");
	const format = dialogOf(page).getByLabel("Format", { exact: true });
	await page.getByText(/73 frames/).waitFor();

	assert.equal(await format.inputValue(), "gif");
	const options = await format
		.locator("option")
		.evaluateAll((all) =>
			all.map((option) => [option.textContent, /** @type {HTMLOptionElement} */ (option).disabled]),
		);
	assert.deepEqual(options, [
		["MP4: this browser cannot make it", true],
		["GIF", false],
		["WebM: this browser cannot make it", true],
	]);
	assert.match((await page.locator(".export-server").getAttribute("href")) ?? "", /\/animations\/ndvi\.gif\?/);
}

/** @param {string} kind @param {string} copied */
function addressIn(kind, copied) {
	if (kind === "curl") return /"([^"]+)"/.exec(copied)?.[1] ?? "";
	return copied.replace("{z}", "12").replace("{x}", "2090").replace("{y}", "1370");
}

/** @type {Check} */
async function copies(bench) {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&min=0&max=0.8&ramp=viridis&reversed=1&${PLAIN}`);
	await openExport(page, "Copy as");
	await page.locator("#copy-python").waitFor();
	const fields = await page
		.locator(".export-copies [id^=copy-]")
		.evaluateAll((all) =>
			all.map((field) => [field.id.replace("copy-", ""), /** @type {HTMLInputElement} */ (field).value]),
		);
	const copied = Object.fromEntries(fields);

	assert.deepEqual(Object.keys(copied), ["wms", "wmts", "xyz", "tilejson", "coverage", "curl", "python"]);
	for (const kind of ["wms", "wmts", "xyz", "coverage", "curl"]) {
		const answer = await fetch(addressIn(kind, copied[kind]));
		assert.equal(answer.status, 200, `${kind}: ${await answer.clone().text()}`);
		assert.equal(answer.headers.get("chronotile-time"), `${DATE}T00:00:00Z`, kind);
		assert.match(answer.headers.get("content-type") ?? "", /^image\/(png|tiff)/, kind);
	}
	const json = await (await fetch(copied.tilejson)).json();
	assert.match(json.tiles[0], new RegExp(`datetime=${DATE}`));
	await note(bench.outDir, { copied, shown: await placesOf(page) });
}

/** @type {Check} */
async function serverFilm(bench) {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`);
	await setUpFilm(page, "gif");
	const href = (await page.locator(".export-server").getAttribute("href")) ?? "";
	const answer = await fetch(new URL(href, bench.base));

	assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "image/gif"]);
	await writeFile(join(bench.outDir, "server.gif"), Buffer.from(await answer.arrayBuffer()));
}

/** @type {Check} */
async function languages(bench) {
	for (const [language, title] of [
		["nl", "Exporteren"],
		["fr", "Exporter"],
	]) {
		const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&language=${language}&${PLAIN}`);
		await page.locator("#export-button").click();
		await page.getByRole("dialog", { name: title }).waitFor();
	}
}

/** @type {(scheme: "light" | "dark", width: number) => Check} */
const accessible = (scheme, width) => async (bench) => {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`, { scheme, width });
	if (!(await page.locator("#export-button").isVisible())) await page.locator("#menu-button").click();
	for (const tab of /** @type {const} */ (["Picture", "Film", "Data", "Copy as"])) {
		if (tab === "Picture") await openExport(page, tab);
		else await page.getByRole("tab", { name: tab }).click();
		await dialogOf(page).locator(".export-panel:not([hidden]) .export-fields").waitFor();
		assert.deepEqual(await brokenRules(page), [], tab);
		const isWide = await dialogOf(page).evaluate((dialog) => dialog.scrollWidth > dialog.clientWidth);
		assert.ok(!isWide, `${tab} is wider than its dialog`);
	}
};

/** @type {Check} */
async function byKeys(bench) {
	const { page } = await openMap(bench, `?layer=ndvi&date=${DATE}&${PLAIN}`);
	await page.locator("#export-button").focus();
	await page.keyboard.press("Enter");
	await page.locator(".export-preview canvas").waitFor();
	await page.getByRole("tab", { name: "Picture" }).focus();
	await page.keyboard.press("ArrowLeft");
	await page.locator("#copy-xyz").waitFor();
	await page.keyboard.press("Escape");

	await whenFocused(page, "export-button");
}

await runAsCalled([
	["23 a picture has the colours of the screen, at one and two pixels for each", picture],
	["23 a picture of a comparison shows both sides", comparison],
	["24 numbers of the view come as GeoTIFF and NetCDF", data],
	["24 what the server refuses is told with what to do", tooMuchData],
	["24 numbers and a picture of an area", areaOnly],
	["25 a film as GIF", film("gif")],
	["25 a film shows filled gaps", filledFilm],
	["25 a film of a layer without numbers", picturesFilm],
	["25 a film that is cancelled leaves no file", cancelled],
	["26 a film as MP4", film("mp4")],
	["26 a film as WebM", film("webm")],
	["26 without an encoder GIF is offered, with the reason", withoutEncoder],
	["26 the server makes a film of the same dates", serverFilm],
	["28 what is copied gives the same date", copies],
	["33 axe finds nothing wrong with the dialog", accessible("light", 1100)],
	["33 axe finds nothing wrong with the dialog on a phone in the dark", accessible("dark", 360)],
	["34 the dialog works by keys, and gives the focus back", byKeys],
	["29 the dialog speaks the viewer's languages", languages],
]);
