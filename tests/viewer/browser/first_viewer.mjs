/**
 * What the first viewer must do, seen in a browser: `node first_viewer.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`.
 *
 * Works against any server with at least one layer of several dates. Writes pictures of its states to OUT_DIR; exits 1
 * when a check fails and says which, 2 when it was called wrongly.
 */
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { runChecks } from "./harness.mjs";

/** @typedef {import("./harness.mjs").Check} Check */
/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("../../../viewer/api.js").Layer} Layer */

const MAX_MODULES = 12;
const FAILED_REQUEST = /Failed to load resource/;

const [base, outDir, part = ""] = process.argv.slice(2);
if (!base || !outDir) {
	console.error("usage: first_viewer.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]");
	process.exit(2);
}
await mkdir(outDir, { recursive: true });

/** @param {string} path @returns {Promise<any>} */
async function ask(path) {
	const answer = await fetch(new URL(path, base));
	assert.ok(answer.ok, `${path} answered ${answer.status}`);
	return answer.json();
}

const front = await fetch(new URL("viewer/", base));
if (!front.ok) {
	console.error(`${front.url} answered ${front.status}: the viewer is not there`);
	process.exit(1);
}

/** @type {Layer[]} */
const layers = (await ask("layers")).layers;
const dated = layers.filter(({ times }) => times.count > 2);
const [first] = layers;
const layer = dated[0];
assert.ok(layer, "the server needs a layer with several dates");
/** @type {string[]} */
const times = (await ask(`layers/${layer.id}/times?limit=1000`)).times;
const [west, south, east, north] = layer.bbox;
const [lon, lat] = [(west + east) / 2, (south + north) / 2].map((degrees) => Number(degrees.toFixed(4)));

/** @param {Page} page */
async function whenShown(page) {
	await page.locator("#status[data-phase=shown]").waitFor();
	await page.waitForFunction(() => new URLSearchParams(window.location.search).has("view"));
}

/** @param {Page} page @param {string} key */
const linkValue = (page, key) => new URL(page.url()).searchParams.get(key);

/** @param {Page} page @param {string} key @param {string} value */
const whenLinkSays = (page, key, value) =>
	page.waitForFunction(
		([name, wanted]) => new URLSearchParams(window.location.search).get(name) === wanted,
		[key, value],
	);

/** @param {Page} page */
const noticeTexts = (page) => page.locator("#notices li span").allTextContents();

/** @param {Page} page */
const shownTiles = (page) =>
	page
		.locator(".data-tiles img")
		.evaluateAll((images) => images.filter((image) => /** @type {HTMLImageElement} */ (image).naturalWidth > 0).length);

/** @param {number} status @param {string} detail @returns {(route: import("./harness.mjs").Route) => unknown} */
const answerProblem = (status, detail) => (route) =>
	route.fulfill({
		status,
		contentType: "application/problem+json",
		body: JSON.stringify({ title: "Failed", status, detail }),
	});

/** @param {unknown} body @returns {(route: import("./harness.mjs").Route) => unknown} */
const answerJson = (body) => (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify(body) });

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Names of the accessibility rules that the page breaks, and where. @param {Page} page @returns {Promise<string[]>} */
async function brokenRules(page) {
	await page.evaluate(axe);
	return page.evaluate(async () => {
		/** @type {any} */
		const { axe: checker } = window;
		const { violations } = await checker.run({
			runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
		});
		return violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes[0].html}`);
	});
}

/** Colours of an element as it is drawn, a margin left out. @param {Page} page @param {string} selector @param {number} margin */
async function drawnColours(page, selector, margin) {
	const picture = (await page.locator(selector).first().screenshot()).toString("base64");
	return page.evaluate(
		async ([source, edge]) => {
			const image = new Image();
			image.src = `data:image/png;base64,${source}`;
			await image.decode();
			const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
			if (!context) throw new Error("no canvas");
			context.drawImage(image, 0, 0);
			const [width, height] = [image.width - 2 * edge, image.height - 2 * edge];
			const { data } = context.getImageData(edge, edge, width, height);
			const pixels = Array.from({ length: width * height }, (_, index) => data.slice(4 * index, 4 * index + 3).join());
			return [...new Set(pixels)];
		},
		/** @type {const} */ ([picture, margin]),
	);
}

/** @type {[string, Check][]} */
const checks = [
	[
		"an empty link shows the first layer at its default date, with title and legend",
		async ({ open }) => {
			const { page, requests } = await open();
			await whenShown(page);

			assert.equal(linkValue(page, "layer"), first.id);
			assert.equal(
				linkValue(page, "date") ?? "",
				first.times.default?.slice(0, (linkValue(page, "date") ?? "").length) ?? "",
			);
			assert.ok((await page.title()).startsWith(first.title));
			assert.equal(await page.locator("#legend-title").textContent(), first.title);
			await page.locator("#legend-body :is(.ramp, .swatches, p)").first().waitFor();
			assert.ok((await shownTiles(page)) > 0, "no picture is on the map");
			const modules = requests.filter((url) => new URL(url).pathname.endsWith(".js"));
			assert.ok(new Set(modules).size <= MAX_MODULES, `${new Set(modules).size} modules at start`);
			await page.screenshot({ path: join(outDir, "desktop.png") });
		},
	],
	[
		"the attribution of the layer is in sight",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}` });
			await whenShown(page);

			const credit = page.locator("#layer-attribution");
			assert.equal(await credit.textContent(), layer.attribution ?? "");
			if (layer.attribution) assert.ok(await credit.isVisible());
		},
	],
	[
		"a link of Terrascope's viewer restores its six values",
		async ({ open }) => {
			const box = [lon - 0.05, lat - 0.04, lon + 0.05, lat + 0.04].map((degrees) => Number(degrees.toFixed(5)));
			const date = times[1].slice(0, 10);
			const search = `?language=en&layer=${layer.id}&date=${date}&bbox=${box.join()}&overlay=false&bgLayer=MapBox_Satellite`;
			const { page } = await open({ search });
			await whenShown(page);

			assert.deepEqual([linkValue(page, "layer"), linkValue(page, "date")], [layer.id, date]);
			assert.equal(await page.locator("html").getAttribute("lang"), "en");
			assert.equal(await page.locator("#overlay").isChecked(), false);
			assert.equal(await page.locator("#background").inputValue(), "NaturalEarth");
			assert.match((await noticeTexts(page)).join(), /MapBox_Satellite/);
			const [w, s, e, n] = (linkValue(page, "bbox") ?? "").split(",").map(Number);
			assert.ok(w <= box[0] && s <= box[1] && e >= box[2] && n >= box[3], "the map does not contain the box");
		},
	],
	[
		"our own keys come back, and parameters that are not ours stay",
		async ({ open }) => {
			const style = layer.styles.at(-1)?.id ?? "";
			const view = `${lon},${lat},10`;
			const search = `?utm=a%20b&layer=${layer.id}&view=${view}&opacity=0.4&style=${style}&pt=${lon},${lat}&bgLayer=None`;
			const { page } = await open({ search });
			await whenShown(page);
			await page.locator("#series").waitFor();
			await page.waitForTimeout(1000);

			assert.deepEqual(
				["view", "opacity", "pt", "bgLayer", "utm"].map((key) => linkValue(page, key)),
				[view, "0.4", `${lon},${lat}`, "None", "a b"],
			);
			assert.equal(await page.locator("#style").inputValue(), style);
			assert.equal(await page.locator("#opacity").inputValue(), "40");
			const pane = page.locator(".data-tiles");
			assert.equal(await pane.evaluate((element) => getComputedStyle(element).opacity), "0.4");
		},
	],
	[
		"a link opened twice shows the same",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&date=${times[0].slice(0, 10)}` });
			await whenShown(page);
			await page.waitForTimeout(700);
			const link = page.url();
			const again = await open({ search: new URL(link).search });
			await whenShown(again.page);
			await again.page.waitForTimeout(700);

			assert.equal(again.page.url(), link);
		},
	],
	[
		"labels of legends do not run into each other",
		async ({ open }) => {
			const { page } = await open();
			await whenShown(page);
			for (const { id, title } of layers.slice(0, 12)) {
				await page.locator("#layer").selectOption(id);
				await page.locator("#legend-title").getByText(title, { exact: true }).waitFor();
				await page.locator("#legend-body :is(.ramp, .swatches, p:not(:has-text('Loading')))").first().waitFor();
				const boxes = await page
					.locator(".ramp-labels span")
					.evaluateAll((labels) => labels.map((label) => label.getBoundingClientRect()));
				const crossing = boxes.findIndex(({ left }, index) => index > 0 && left < boxes[index - 1].right);
				assert.equal(crossing, -1, `label ${crossing} of ${id}`);
			}
		},
	],
	[
		"the legend shows half transparent colours as the map does: over the ground",
		async ({ open }) => {
			const { page } = await open({
				search: `?layer=${layer.id}&view=${lon},${lat},5&overlay=false`,
				routes: {
					"/legend\\.json": answerJson({
						title: "x",
						units: null,
						type: "classes",
						classes: [{ value: 1, color: "#00000000", label: "as the ground" }],
						flags: [{ name: "cloud", color: "#ffffffb3" }],
					}),
				},
			});
			await whenShown(page);
			for (const [id, ground, cloud] of [
				["NaturalEarth", 0xf3, 251],
				["NaturalEarth_Dark", 0x2b, 191],
				["None", 0xff, 255],
			]) {
				await page.locator("#background").selectOption(String(id));
				const drawn = [
					await drawnColours(page, ".swatches li:has-text('ground') .swatch", 4),
					await drawnColours(page, ".swatches li:has-text('cloud') .swatch", 4),
				];
				assert.deepEqual(
					drawn.map((colours) => colours.length),
					[1, 1],
					"a pattern shows through",
				);
				const reds = drawn.map(([colour]) => Number(colour.split(",")[0]));
				assert.ok(Math.abs(reds[0] - Number(ground)) <= 1 && Math.abs(reds[1] - Number(cloud)) <= 1, `${id}: ${reds}`);
			}
		},
	],
	[
		"names of layers and styles are to be read whole, however long",
		async ({ open }) => {
			const short = { id: layer.styles[0].id, title: "NDVI: pale brown to dark green" };
			const long = { id: "long", title: "Leaf area index: pale yellow to dark blue-green, for those who see no red" };
			const title = "A layer whose name is far too long for the list in which it stands";
			const { page } = await open({
				allowed: FAILED_REQUEST,
				routes: { "/layers$": answerJson({ layers: [{ ...layer, title, styles: [short, long] }] }) },
			});
			await page.locator("#layer-whole").getByText(title, { exact: true }).waitFor();
			assert.ok(await page.locator("#style-whole").isHidden(), "a name that fits is told twice");
			await page.locator("#style").selectOption("long");
			await page.locator("#style-whole").getByText(long.title, { exact: true }).waitFor();
			assert.equal(await page.locator("#style").getAttribute("title"), long.title);
			await page.screenshot({ path: join(outDir, "long-names.png") });
		},
	],
	[
		"a layer that is not there gives a notice and the first layer",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=NO_SUCH_LAYER", allowed: FAILED_REQUEST });
			await whenShown(page);

			assert.match((await noticeTexts(page)).join(), /no layer NO_SUCH_LAYER/);
			assert.equal(linkValue(page, "layer"), first.id);
			await page.screenshot({ path: join(outDir, "notice.png") });
		},
	],
	[
		"a date without data gives a notice and the nearest date",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&date=1955-05-05` });
			await whenShown(page);

			assert.match((await noticeTexts(page)).join(), /no data of 5 May 1955/);
			assert.equal(linkValue(page, "date"), times[0].slice(0, linkValue(page, "date")?.length));
		},
	],
	[
		"messages cover nothing of the map, are spoken, and go when they have been read",
		async ({ open }) => {
			for (const [width, height, least] of [
				[1280, 800, 30],
				[390, 800, 45],
				[800, 360, 45],
			]) {
				const search = `?layer=${layer.id}&date=1955-05-05&bgLayer=Elsewhere&view=${lon},${lat},9`;
				const { page } = await open({ search, width, height });
				await whenShown(page);
				await page.waitForTimeout(500);
				const messages = page.getByRole("status", { name: "Messages" });
				const [frame, map] = [await messages.boundingBox(), await page.locator("#map").boundingBox()];
				assert.ok(frame && map && frame.height > least && frame.y + frame.height <= map.y + 0.5, "the map is covered");
				assert.ok(map.height > 170, `${map.height} px are left of the map`);
				await page.screenshot({ path: join(outDir, `messages-${width}.png`) });

				await page.getByRole("button", { name: "Dismiss" }).first().press("Enter");
				assert.equal((await noticeTexts(page)).length, 1);
				assert.equal(await page.evaluate(() => document.activeElement?.ariaLabel), "Dismiss");
				await page.keyboard.press("Enter");
				assert.equal(await page.evaluate(() => document.activeElement?.id), "map");
				await page.waitForTimeout(500);
				assert.equal((await messages.boundingBox())?.height ?? 0, 0);
				assert.equal(linkValue(page, "view"), `${lon},${lat},9`);
			}
		},
	],
	[
		"hostile values in the link are shown as text",
		async ({ open }) => {
			const evil = encodeURIComponent("<img src=x onerror=alert(1)>");
			const { page } = await open({ search: `?layer=${evil}&date=${evil}&style=${evil}&pt=${evil}&bgLayer=${evil}` });
			await whenShown(page);

			assert.equal((await noticeTexts(page)).length, 5);
			assert.equal(await page.locator("img[src=x]").count(), 0);
		},
	],
	[
		"hostile names from the server are shown as text",
		async ({ open }) => {
			const evil = "<img src=x onerror=alert(1)>";
			const hostile = { ...layer, title: evil, attribution: evil, styles: [{ ...layer.styles[0], title: evil }] };
			const legend = {
				title: evil,
				units: evil,
				type: "classes",
				classes: [{ value: 1, color: `red;}${evil}`, label: evil }],
			};
			const { page } = await open({
				search: `?pt=${lon},${lat}`,
				routes: { "/layers$": answerJson({ layers: [hostile] }), "/legend\\.json": answerJson(legend) },
			});
			await whenShown(page);
			await page.locator("#series").waitFor();

			assert.equal(await page.locator("img[src=x]").count(), 0);
			assert.equal(await page.locator("#layer-attribution").textContent(), evil);
			assert.equal(await page.locator("#legend-body li").textContent(), evil);
		},
	],
	[
		"dates are chosen by buttons, lists and keys, and only those that exist",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&date=${times[1].slice(0, 10)}` });
			await whenShown(page);
			await page.getByRole("button", { name: "Next date" }).click();
			await whenLinkSays(page, "date", times[2].slice(0, 10));
			await page.getByRole("slider", { name: /^Date/ }).press("ArrowLeft");
			await whenLinkSays(page, "date", times[1].slice(0, 10));
			await page.getByRole("slider", { name: /^Date/ }).press("Home");
			await whenLinkSays(page, "date", times[0].slice(0, 10));
			assert.ok(await page.getByRole("button", { name: "Previous date" }).isDisabled());
			await page.getByRole("combobox", { name: "Date" }).selectOption({ index: 1 });
			await whenLinkSays(page, "date", times[1].slice(0, 10));

			const year = times[1].slice(0, 4);
			const offered = await page.getByRole("combobox", { name: "Date" }).locator("option").count();
			assert.equal(offered, times.filter((time) => time.startsWith(year)).length);
		},
	],
	[
		"a new date replaces the old pictures only when it is complete",
		async ({ open }) => {
			const { page, requests } = await open({ search: `?layer=${layer.id}&date=${times[0].slice(0, 10)}` });
			await whenShown(page);
			await page.getByRole("button", { name: "Next date" }).click();
			await page.locator("#status[data-phase=loading]").waitFor();
			assert.ok((await shownTiles(page)) > 0, "the map is empty while the next date loads");
			await whenShown(page);

			assert.equal(await page.locator(".data-tiles").count(), 1);
			const asked = requests.filter((url) => url.includes(".png")).map((url) => new URL(url).searchParams);
			assert.ok(asked.some((query) => query.get("datetime") === times[1] && query.get("rev") === layer.revision));
		},
	],
	[
		"Back and Forward walk through dates and layers",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&date=${times[0].slice(0, 10)}` });
			await whenShown(page);
			await page.getByRole("button", { name: "Next date" }).click();
			await whenLinkSays(page, "date", times[1].slice(0, 10));
			const other = dated[1]?.id ?? layer.id;
			await page.locator("#layer").selectOption(other);
			await whenLinkSays(page, "layer", other);
			if (other !== layer.id) await page.goBack();
			await whenLinkSays(page, "layer", layer.id);
			await whenLinkSays(page, "date", times[1].slice(0, 10));
			await page.goBack();
			await whenLinkSays(page, "date", times[0].slice(0, 10));
			await whenShown(page);
			assert.equal(await page.getByRole("slider", { name: /^Date/ }).inputValue(), "0");
			await page.goForward();
			await whenLinkSays(page, "date", times[1].slice(0, 10));
			await whenShown(page);
			assert.equal(await page.getByRole("slider", { name: /^Date/ }).inputValue(), "1");
		},
	],
	[
		"a click gives the values of the place, those of the server, as chart and table",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&view=${lon},${lat},11` });
			await whenShown(page);
			const box = await page.locator("#map").boundingBox();
			assert.ok(box);
			await page.mouse.click(box.x + box.width / 2 + 40, box.y + box.height / 2 - 30);
			await page.locator("#series .plot canvas").waitFor();
			await page.getByText("Values as a table").click();
			await page.waitForFunction(() => new URLSearchParams(window.location.search).has("pt"));

			const [x, y] = (linkValue(page, "pt") ?? "").split(",");
			const series = await ask(`timeseries/${layer.id}/point?lon=${x}&lat=${y}`);
			const cells = await page.locator("#series tbody td").allTextContents();
			assert.equal(cells.length, series.times.length);
			for (const [index, value] of series.values.entries()) {
				if (value === null) assert.ok(Number.isNaN(Number.parseFloat(cells[index])), cells[index]);
				else assert.equal(cells[index].split(" ")[0], String(value));
			}
			await page.screenshot({ path: join(outDir, "series.png") });
		},
	],
	[
		"a map that changes its size while it is dragged stays with the pointer",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&view=${lon},${lat},9` });
			await whenShown(page);
			const box = await page.locator("#map").boundingBox();
			assert.ok(box);
			const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
			await page.mouse.move(x, y);
			await page.mouse.down();
			await page.mouse.move(x - 100, y, { steps: 5 });
			await page.setViewportSize({ width: 1280, height: 760 });
			await page.waitForTimeout(300);
			await page.mouse.move(x - 200, y, { steps: 5 });
			await page.waitForTimeout(300);
			await page.mouse.up();
			await page.waitForTimeout(700);

			const [movedTo, , zoom] = (linkValue(page, "view") ?? "").split(",").map(Number);
			const moved = ((movedTo - lon) / 360) * 256 * 2 ** zoom;
			assert.ok(zoom === 9 && Math.abs(moved - 200) < 5, `${moved} px`);
		},
	],
	[
		"the chart takes room from the map without zooming it, and the clicked place stays in sight",
		async ({ open }) => {
			for (const { width, place, share, across = 0.6 } of [
				{ width: 1280, place: "", share: 0.55 },
				{ width: 1280, place: `&view=${lon},${lat},12`, share: 0.9 },
				{ width: 1280, place: `&view=${lon},${lat},12`, share: 0.7, across: 0.15 },
				{ width: 390, place: `&view=${lon},${lat},12`, share: 0.9, across: 0.7 },
			]) {
				const { page } = await open({ search: `?layer=${layer.id}${place}`, width, height: 800 });
				await whenShown(page);
				const [, , zoom] = (linkValue(page, "view") ?? "").split(",");
				const before = await page.locator("#map").boundingBox();
				assert.ok(before);
				await page.mouse.click(before.x + before.width * across, before.y + before.height * share);
				await page.locator("#series .plot canvas").waitFor();
				await page.waitForTimeout(700);

				const after = await page.locator("#map").boundingBox();
				const mark = await page.locator("#map .leaflet-overlay-pane path").last().boundingBox();
				assert.ok(after && mark && after.height < before.height, "the chart takes no room");
				const y = mark.y + mark.height / 2;
				assert.ok(y > after.y && y < after.y + after.height, `the place is at ${y} px, out of sight`);
				const isCovered = await page.evaluate(
					([x, y]) => Boolean(document.elementFromPoint(x, y)?.closest(".legend")),
					[mark.x + mark.width / 2, y],
				);
				assert.ok(!isCovered, "the legend covers the place");
				assert.equal((linkValue(page, "view") ?? "").split(",")[2], zoom);
				await page.screenshot({ path: join(outDir, `clicked-${width}-${across}.png`) });

				await page.getByRole("button", { name: "Close the values" }).click();
				await page.waitForTimeout(700);
				assert.equal((linkValue(page, "view") ?? "").split(",")[2], zoom);
			}
		},
	],
	[
		"a window that changes its size keeps the view of the link",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}` });
			await whenShown(page);
			await page.waitForTimeout(700);
			const view = linkValue(page, "view");
			await page.setViewportSize({ width: 700, height: 500 });
			await page.waitForTimeout(700);

			assert.equal(linkValue(page, "view"), view);
		},
	],
	[
		"a click on the chart sets the date of the map",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&pt=${lon},${lat}` });
			await whenShown(page);
			const plot = await page.locator("#series .u-over").boundingBox();
			assert.ok(plot);
			await page.mouse.move(plot.x + 20, plot.y + 20);
			await page.mouse.click(plot.x + 1, plot.y + 20);

			await whenLinkSays(page, "date", times[0].slice(0, 10));
		},
	],
	[
		"the keyboard alone reaches the map and takes the values of its centre",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&view=${lon},${lat},10` });
			await whenShown(page);
			await page.keyboard.press("Tab");
			await page.keyboard.press("Enter");
			await page.keyboard.press("ArrowRight");
			await page.waitForTimeout(500);
			await page.keyboard.press("Enter");
			await page.locator("#series .plot canvas").waitFor();
			await page.waitForTimeout(500);

			assert.ok(Number(linkValue(page, "pt")?.split(",")[0]) > lon, "the map did not move before Enter");
			await page.getByRole("button", { name: "Close the values" }).press("Enter");
			assert.ok(await page.locator("#series").isHidden());
			assert.equal(await page.evaluate(() => document.activeElement?.id), "map");
		},
	],
	[
		"a place outside the layer is explained in words",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&pt=-150,-50`, allowed: FAILED_REQUEST });
			await whenShown(page);

			await page.getByText(/^No values: .{10,}/).waitFor();
		},
	],
	[
		"a layer of colours without values says so, asks for none, and keeps the place",
		async ({ open }) => {
			const colours = { ...layer, id: "colours", title: "Colours", variable: null };
			const { page, requests } = await open({
				search: `?layer=colours&pt=${lon},${lat}`,
				allowed: FAILED_REQUEST,
				routes: {
					"/layers$": answerJson({ layers: [colours, layer] }),
					"/layers/colours/times": answerJson({ times: [times[0]], valid_shares: [null], total: 1, next: null }),
					"/tilejson\\.json": answerJson({ minzoom: 0, maxzoom: 12 }),
				},
			});
			await page.getByText(/^Colours has colours and no values/).waitFor();
			await whenLinkSays(page, "pt", `${lon},${lat}`);
			assert.ok(await page.getByText("Download as CSV").isHidden());
			assert.ok(!requests.some((url) => url.includes("/timeseries/")));

			await page.locator("#layer").selectOption(layer.id);
			await page.locator("#series .plot canvas").waitFor();
			assert.equal(linkValue(page, "pt"), `${lon},${lat}`);
		},
	],
	[
		"a map that shows none of the layer says so and leads back",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&view=-150,-50,6` });
			await whenShown(page);
			await page.getByText(/has no data in this part of the map/).waitFor();
			await page.locator("#notices").getByRole("button", { name: "Zoom to the layer" }).click();
			await page.locator("#notices li").waitFor({ state: "detached" });
			await whenShown(page);

			assert.ok((await shownTiles(page)) > 0);
		},
	],
	[
		"pictures that fail are counted with the server's reason, the others stay, and Try again works",
		async ({ open }) => {
			let failing = 2;
			const { page } = await open({
				search: `?layer=${layer.id}`,
				allowed: FAILED_REQUEST,
				routes: {
					"\\.png": (route) => (failing-- > 0 ? answerProblem(503, "The source is away.")(route) : route.fallback()),
				},
			});
			await whenShown(page);
			await page.getByText(/^\d+ of \d+ map tiles? could not be loaded/).waitFor();
			await page.screenshot({ path: join(outDir, "tiles-failed.png") });
			failing = 0;
			await page.getByRole("button", { name: "Try again" }).click();
			await page.locator("#notices li").waitFor({ state: "detached" });

			assert.ok((await shownTiles(page)) > 0);
		},
	],
	[
		"layers that do not load give the reason, and Try again works",
		async ({ open }) => {
			let isAway = true;
			const { page } = await open({
				allowed: FAILED_REQUEST,
				routes: {
					"/layers$": (route) => (isAway ? answerProblem(503, "Come back later.")(route) : route.fallback()),
				},
			});
			await page.getByText(/layers could not be loaded: Come back later\./).waitFor();
			await page.screenshot({ path: join(outDir, "layers-failed.png") });
			isAway = false;
			await page.getByRole("button", { name: "Try again" }).click();
			await whenShown(page);

			assert.deepEqual(await noticeTexts(page), []);
		},
	],
	[
		"dates, legend and series that do not load say why; the rest works",
		async ({ open }) => {
			let isAway = true;
			const { page } = await open({
				search: `?layer=${layer.id}&pt=${lon},${lat}`,
				allowed: FAILED_REQUEST,
				routes: {
					"/times": (route) => (isAway ? answerProblem(503, "No dates now.")(route) : route.fallback()),
					"/legend\\.json": answerProblem(500, "No colours now."),
					"/timeseries/": (route) => route.abort(),
				},
			});
			await page.getByText("The dates could not be loaded: No dates now.").waitFor();
			await page.getByText("No legend: No colours now.").waitFor();
			await page.getByText(/No values: The server cannot be reached/).waitFor();
			isAway = false;
			await page.locator("#timeline").getByRole("button", { name: "Try again" }).click();
			await whenShown(page);
		},
	],
	[
		"a viewer that cannot start says so",
		async ({ open }) => {
			const { page } = await open({ allowed: FAILED_REQUEST, routes: { "/dates\\.js": (route) => route.abort() } });
			assert.ok(await page.locator("#stuck").isHidden());

			await page.getByText(/could not be started/).waitFor();
		},
	],
	[
		"a server without layers says so",
		async ({ open }) => {
			const { page } = await open({ routes: { "/layers$": answerJson({ layers: [] }) } });

			await page.getByText("This server has no layers yet.").waitFor();
		},
	],
	[
		"a layer without time, and one with a single date, need no strip",
		async ({ open }) => {
			const none = { ...layer, id: "still", times: { first: null, last: null, count: 0, default: null } };
			const one = { ...layer, id: "one", times: { first: times[0], last: times[0], count: 1, default: times[0] } };
			const { page } = await open({
				search: `?layer=still&pt=${lon},${lat}`,
				allowed: FAILED_REQUEST,
				routes: {
					"/layers$": answerJson({ layers: [none, one] }),
					"/layers/one/times": answerJson({ times: [times[0]], valid_shares: [null], total: 1, next: null }),
					"/tilejson\\.json": answerJson({ minzoom: 0, maxzoom: 12 }),
					"/timeseries/still": answerJson({ units: "m", times: [null], values: [12.5], reasons: [null] }),
				},
			});
			await page
				.locator("#timeline")
				.getByText(/has no dates/)
				.waitFor();
			assert.ok(await page.locator(".strip").isHidden());
			await page.locator("#series").getByText("12.5 m", { exact: true }).first().waitFor();
			await page.locator("#layer").selectOption("one");
			await page.getByRole("combobox", { name: "Date" }).waitFor();
			assert.ok(await page.locator(".strip").isHidden());
		},
	],
	[
		"a layer without a default date is shown at its last one",
		async ({ open }) => {
			const undated = { ...layer, times: { ...layer.times, default: null } };
			const noDefault = answerProblem(400, "The layer has no default time.");
			const { page, requests } = await open({
				search: `?layer=${layer.id}`,
				routes: {
					"/layers$": answerJson({ layers: [undated] }),
					"/tilejson\\.json": (route) =>
						route.request().url().includes("datetime=") ? route.fallback() : noDefault(route),
				},
			});
			await whenShown(page);

			assert.deepEqual(await noticeTexts(page), []);
			const [last] = times.slice(-1);
			assert.ok(requests.some((url) => url.includes(".png?") && new URL(url).searchParams.get("datetime") === last));
		},
	],
	[
		"a layer of 3,000 dates, page by page, is quick to step through",
		async ({ open }) => {
			const days = Array.from({ length: 3000 }, (_, day) =>
				new Date(day * 86_400_000).toISOString().replace(".000", ""),
			);
			const long = { ...layer, times: { first: days[0], last: days[2999], count: 3000, default: days[2999] } };
			const { page } = await open({
				allowed: FAILED_REQUEST,
				routes: {
					"/layers$": answerJson({ layers: [long] }),
					"/times": (route) => {
						const start = Number(new URL(route.request().url()).searchParams.get("start") ?? 0);
						const page = days.slice(start, start + 1000);
						const next =
							start + 1000 < days.length ? `https://elsewhere.example/layers/x/times?start=${start + 1000}` : null;
						return answerJson({ times: page, valid_shares: page.map(() => 0.5), total: 3000, next })(route);
					},
					"\\.png": (route) => route.abort(),
				},
			});
			const slider = page.getByRole("slider", { name: /^Date/ });
			await page.waitForFunction(() => /** @type {any} */ (document.querySelector("#timeline input")).max === "2999");
			const started = Date.now();
			for (let step = 0; step < 20; step++) await slider.press("ArrowLeft");
			assert.equal(await slider.inputValue(), "2979");
			assert.ok(Date.now() - started < 4000, `20 steps took ${Date.now() - started} ms`);
		},
	],
	[
		"a phone shows all without scrolling sideways, in both orientations",
		async ({ open }) => {
			for (const [width, height] of [
				[390, 800],
				[320, 568],
				[800, 360],
			]) {
				const { page } = await open({ search: `?layer=${layer.id}&pt=${lon},${lat}`, width, height });
				await whenShown(page);
				await page.locator("#series .plot canvas").waitFor();
				const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
				assert.ok(wide <= 0, `${width} x ${height}: ${wide} px too wide`);
				await page.screenshot({ path: join(outDir, `phone-${width}.png`) });
			}
		},
	],
	[
		"on a phone the panel opens, works and closes by key",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}`, width: 390, height: 800 });
			await whenShown(page);
			assert.ok(await page.locator("#panel").isHidden());
			await page.getByRole("button", { name: "Layers" }).click();
			await page.getByLabel("Background").selectOption("None");
			await page.screenshot({ path: join(outDir, "phone-panel.png") });
			await page.keyboard.press("Escape");

			assert.ok(await page.locator("#panel").isHidden());
			assert.equal(await page.evaluate(() => document.activeElement?.id), "panel-button");
		},
	],
	[
		"axe finds nothing wrong in any state, light or dark",
		async ({ open }) => {
			for (const scheme of /** @type {("light" | "dark")[]} */ (["light", "dark"])) {
				const { page } = await open({ search: `?layer=${layer.id}&date=1955-05-05&pt=${lon},${lat}`, scheme });
				await whenShown(page);
				await page.getByText("Values as a table").click();
				assert.deepEqual(await brokenRules(page), []);
				await page.screenshot({ path: join(outDir, `state-${scheme}.png`) });
			}
			const { page } = await open({ search: `?layer=${layer.id}`, width: 390, height: 800 });
			await whenShown(page);
			await page.getByRole("button", { name: "Layers" }).click();
			assert.deepEqual(await brokenRules(page), []);
		},
	],
];

const failed = await runChecks(
	base,
	outDir,
	checks.filter(([name]) => name.includes(part)),
);
console.log(failed === 0 ? "all is well" : `${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
