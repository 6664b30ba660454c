/**
 * Inspection of values: at the pointer, along a line, of two layers, and the cube. `node inspector.mjs BASE_URL
 * OUT_DIR [PART_OF_A_NAME]`, with the archive of `served.py`.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { cellAt, centreOf, FIXTURES, valueAt } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";
import { brokenRules, inspect, linkValue, until, whenLinkSays, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

const T = 3;
const middle = centreOf({ row: 120, column: 130 });
const VIEW = `date=${FIXTURES.ndvi.dates[T]}&view=${middle.lon.toFixed(5)},${middle.lat.toFixed(5)},12&overlay=false&bgLayer=None`;
const SEARCH = `?layer=ndvi&${VIEW}`;
const corners = [
	{ row: 40, column: 30 },
	{ row: 200, column: 90 },
	{ row: 60, column: 220 },
].map(centreOf);
const LINE = `&line=${corners.map(({ lon, lat }) => `${lon.toFixed(5)},${lat.toFixed(5)}`).join(";")}`;

/** Returns the open view as a table. @param {Page} page @returns {Promise<string[][]>} */
async function table(page) {
	await page.locator(".inspect-head").getByRole("button", { name: "Download" }).click();
	const [download] = await Promise.all([
		page.waitForEvent("download"),
		page.locator(".inspect .chart-download").getByRole("button", { name: "CSV" }).click(),
	]);
	const content = await readFile(await download.path(), "utf8");
	return content
		.replace(/^\ufeff/, "")
		.trim()
		.split(/\r?\n/)
		.map((row) => row.split(","));
}

await runAsCalled([
	[
		"the values stand beside the pointer, go while the map is dragged, and i turns them off",
		async ({ open, outDir }) => {
			const { page, requests } = await open({ search: `${SEARCH}&layers=lai16:1` });
			await whenShown(page);
			const bubble = page.locator("#readout");
			const frame = await page.locator("#map").boundingBox();
			assert.ok(frame);
			const [x, y] = [frame.x + frame.width / 2, frame.y + frame.height / 2];
			await page.mouse.move(x - 5, y);
			await page.mouse.move(x, y);
			await bubble.waitFor();
			await until(page, async () => (await bubble.locator(".reading").count()) === 2);
			const asked = requests.length;
			for (const away of [60, 120, 180]) {
				await page.mouse.move(x + away, y + away);
				await until(page, async () => {
					const box = await bubble.boundingBox();
					return !!box && Math.abs(box.x - (x + away)) < 40 && Math.abs(box.y - (y + away)) < 40;
				});
			}
			assert.equal(requests.slice(asked).filter((url) => /cubes|tiles|timeseries/.test(url)).length, 0);
			await page.screenshot({ path: join(outDir, "inspector.png") });
			await page.mouse.down();
			await page.mouse.move(x + 200, y + 200, { steps: 4 });
			await bubble.waitFor({ state: "hidden" });
			await page.mouse.up();
			await bubble.waitFor();
			await page.keyboard.press("i");
			await bubble.waitFor({ state: "hidden" });
			await page.keyboard.press("i");
			await page.locator("#map").focus();
			await page.keyboard.press("ArrowRight");
			await until(page, async () => {
				const box = await bubble.boundingBox();
				return !!box && Math.abs(box.x - x) < 40 && Math.abs(box.y - y) < 40;
			});
			assert.match((await bubble.textContent()) ?? "", /Enter: since 2019/);
		},
	],
	[
		"a map that goes elsewhere by itself brings other places under a pointer at rest, and their values",
		async ({ open }) => {
			const { page } = await open({ search: SEARCH });
			await whenShown(page);
			const frame = await page.locator("#map").boundingBox();
			assert.ok(frame);
			const spot = { x: Math.round(frame.width / 2) + 3, y: Math.round(frame.height / 2) + 3 };
			await page.mouse.move(frame.x + spot.x - 5, frame.y + spot.y);
			await page.mouse.move(frame.x + spot.x, frame.y + spot.y);
			await page.locator("#readout .reading").waitFor();
			await inspect(page);
			for (const by of [0, 90, -170]) {
				const { lat, lng } = await page.evaluate(
					({ by, spot }) => {
						const [map] = /** @type {any} */ (window).parts.maps.peek();
						map.panBy([by, by], { animate: false });
						return map.containerPointToLatLng([spot.x + 0.5, spot.y + 0.5]);
					},
					{ by, spot },
				);
				const value = valueAt("ndvi", T, cellAt({ lon: lng, lat }));
				await until(page, async () => {
					const said = await page.locator("#readout .reading").getAttribute("data-value");
					return said === (value === null ? "" : String(value));
				});
			}
		},
	],
	[
		"a profile has the value of each place of its line, gaps as gaps, and points at it on the map",
		async ({ open, outDir }) => {
			const { page } = await open({ search: SEARCH + LINE });
			await whenShown(page);
			const plot = page.getByRole("slider", { name: "Place on the line" });
			await plot.waitFor();
			await until(page, async () => !(await page.locator(".inspect-profile").textContent())?.includes("loaded"));
			const [, ...rows] = await table(page);
			assert.ok(rows.length > 200);
			let gaps = 0;
			for (const [metres, lon, lat, value] of rows) {
				const expected = valueAt("ndvi", T, cellAt({ lon: Number(lon), lat: Number(lat) }));
				gaps += Number(expected === null);
				assert.equal(value === "" ? null : Number(value), expected, `${metres} m: ${lon}, ${lat}`);
			}
			assert.ok(gaps > 0 && gaps < rows.length);
			await plot.focus();
			await page.keyboard.press("Home");
			await page.keyboard.press("ArrowRight");
			await until(page, async () => (await plot.getAttribute("aria-valuenow")) === "1");
			await inspect(page);
			const marked = await page.evaluate(() => /** @type {any} */ (window).parts.marked.peek());
			assert.deepEqual([marked.lon, marked.lat], rows[1].slice(1, 3).map(Number));
			await page.screenshot({ path: join(outDir, "profile.png") });
			assert.deepEqual(await brokenRules(page), []);
			await page.keyboard.press("Escape");
			await whenLinkSays(page, "line", null);
		},
		"downloads",
	],
	[
		"classes are bands of their colours along a line, and are not plotted as if they were amounts",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `${SEARCH.replace("=ndvi", "=classes")}${LINE}&layers=ndvi:1` });
			await whenShown(page);
			const plot = page.getByRole("slider", { name: "Place on the line" });
			await plot.waitFor();
			await until(page, async () => !(await page.locator(".inspect-profile").textContent())?.includes("loaded"));
			const [, ...rows] = await table(page);
			const known = rows.filter((row) => row[3] !== "");
			for (const [, lon, lat, value] of known)
				assert.equal(Number(value), valueAt("classes", T, cellAt({ lon: Number(lon), lat: Number(lat) })));
			assert.equal(await plot.locator("rect").count(), known.length);
			const colours = await plot.locator("rect").evaluateAll((all) => all.map((each) => each.getAttribute("fill")));
			const codes = new Set(known.map((row) => row[3]));
			assert.ok(codes.size > 1);
			assert.equal(new Set(known.map((row, at) => `${row[3]} ${colours[at]}`)).size, codes.size);
			await plot.focus();
			await page.keyboard.press("Home");
			await until(page, async () => /Classes[^;]*: [A-Za-z]/.test((await plot.getAttribute("aria-valuetext")) ?? ""));
			await page.screenshot({ path: join(outDir, "profile-classes.png") });
			await page.getByRole("tab", { name: "Two layers" }).click();
			const told = page.locator(".inspect-scatter .inspect-note");
			await until(page, async () => /Classes and pictures are not amounts/.test((await told.textContent()) ?? ""));
			assert.match((await told.textContent()) ?? "", /n = .* mean/);
			assert.deepEqual(await brokenRules(page), []);
			await page.getByRole("button", { name: "Remove NDVI of 2019" }).click();
			await until(page, async () => !/n = /.test((await told.textContent()) ?? ""));
			assert.match((await told.textContent()) ?? "", /Classes and pictures are not amounts/);
			await page.locator(".inspect-scatter .inspect-plot").waitFor({ state: "hidden" });
		},
		"downloads",
	],
	[
		"the keyboard draws the line of a profile",
		async ({ open }) => {
			const { page } = await open({ search: SEARCH });
			await whenShown(page);
			await page.getByRole("button", { name: "Draw an area" }).focus();
			await page.keyboard.press("Enter");
			await page.getByRole("button", { name: "Profile along a line" }).focus();
			await page.keyboard.press("Enter");
			await page.locator(".draw-bar").waitFor();
			await page.keyboard.press("Enter");
			for (let step = 0; step < 3; step++) await page.keyboard.press("ArrowRight");
			await page.keyboard.press("Enter");
			await page.keyboard.press("Enter");
			await page.getByRole("slider", { name: "Place on the line" }).waitFor();
			await until(page, () => linkValue(page, "line") !== null);
		},
	],
	[
		"two layers are plotted one against the other, with what their values say",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `${SEARCH}&layers=lai16:1&scatter=1` });
			await whenShown(page);
			const told = page.locator(".inspect-scatter .inspect-note");
			await until(page, async () => /n = .* r = /.test((await told.textContent()) ?? ""));
			await until(page, async () => !(await told.textContent())?.includes("loaded"));
			const [, ...rows] = await table(page);
			const pairs = new Set();
			for (let row = 0; row < 256; row++) {
				for (let column = 0; column < 256; column++)
					pairs.add([valueAt("ndvi", T, { row, column }), valueAt("lai16", T, { row, column })].join());
			}
			assert.ok(rows.length > 1000);
			for (const row of rows) assert.ok(pairs.has(row.map(Number).join()), row.join());
			const [xs, ys] = [0, 1].map((at) => rows.map((row) => Number(row[at])));
			const mean = (/** @type {number[]} */ of) => of.reduce((sum, each) => sum + each, 0) / of.length;
			const [x, y] = [mean(xs), mean(ys)];
			const xy = mean(xs.map((each, at) => (each - x) * (ys[at] - y)));
			const [xx, yy] = [mean(xs.map((each) => (each - x) ** 2)), mean(ys.map((each) => (each - y) ** 2))];
			const words = (await told.textContent())?.replaceAll(",", "") ?? "";
			const [, n, r, slope] = /n = (\d+) · r = (\S+) · slope ([-\d.]+)/.exec(words) ?? [];
			assert.equal(Number(n), rows.length);
			assert.ok(Math.abs(Number(r) - xy / Math.sqrt(xx * yy)) < 1e-3, words);
			assert.ok(Math.abs(Number(slope) - xy / xx) < 1e-3 * Math.abs(xy / xx), words);
			await page.screenshot({ path: join(outDir, "scatter.png") });
			assert.deepEqual(await brokenRules(page), []);
		},
		"downloads",
	],
	[
		"the faces of the cube have the gaps of the row and the column that are cut, and are moved by keys and on the map",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `${SEARCH}&cube=1` });
			await whenShown(page);
			await inspect(page);
			const faces = page.locator(".inspect-cube .face");
			await until(
				page,
				async () => !(await page.locator(".inspect-cube > .inspect-note").textContent())?.includes("loaded"),
			);
			const look = (/** @type {number} */ face) =>
				page.evaluate((at) => {
					const canvas = /** @type {HTMLCanvasElement} */ (document.querySelectorAll(".face canvas")[at]);
					const { width, height } = canvas;
					const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(
						0,
						0,
						width,
						height,
					);
					const alphas = [...data].filter((_, byte) => byte % 4 === 3);
					return { width, height, alphas, cut: /** @type {any} */ (window).parts.cube.peek() };
				}, face);
			const { dates } = FIXTURES.ndvi;
			const check = async () => {
				for (const [face, along] of ["lon", "lat"].entries()) {
					const { width, height, alphas, cut } = await look(face);
					assert.equal(height, dates.length);
					for (let column = 0; column < width; column++) {
						const share = (column + 0.5) / width;
						const lon = along === "lon" ? cut.west + share * (cut.east - cut.west) : cut.lon;
						const lat = along === "lat" ? cut.south + share * (cut.north - cut.south) : cut.lat;
						for (const t of [0, T, 40, dates.length - 1]) {
							const isGap = valueAt("ndvi", t, cellAt({ lon, lat })) === null;
							assert.equal(alphas[(height - 1 - t) * width + column] === 0, isGap, `${along} ${share} ${dates[t]}`);
						}
					}
				}
			};
			await check();
			await faces.first().focus();
			const before = (await look(0)).cut;
			for (let step = 0; step < 5; step++) await page.keyboard.press("ArrowRight");
			await page.keyboard.press("ArrowUp");
			await whenLinkSays(page, "date", dates[T + 1]);
			assert.ok((await look(0)).cut.lon > before.lon);
			await page.locator(".cut-handle").focus();
			for (let step = 0; step < 5; step++) await page.keyboard.press("ArrowUp");
			assert.ok((await look(0)).cut.lat > before.lat);
			await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
			await check();
			await page.screenshot({ path: join(outDir, "faces.png") });
			assert.deepEqual(await brokenRules(page), []);
		},
	],
	[
		"the cube is there as soon as the first dates are, where the panel was there before them",
		async ({ open }) => {
			/** @type {(() => void) | undefined} */
			let go;
			const isOpen = new Promise((resolve) => {
				go = () => resolve(null);
			});
			const late = async (/** @type {import("playwright-core").Route} */ route) => {
				await isOpen;
				await route.continue();
			};
			const { page } = await open({
				search: `${SEARCH}&cube=3d`,
				routes: { "^/tiles/ndvi/.*tilejson": late },
			});
			await page.getByRole("group", { name: "Turn the cube" }).waitFor();
			go?.();
			await whenShown(page);
			await page.getByText(`${FIXTURES.ndvi.dates[0]} – `).waitFor();
		},
	],
	[
		"the cube turns, is cut and stretched, by pointer and keys, and the link keeps it; on phones too",
		async ({ open, outDir }) => {
			for (const size of [{}, { width: 390, height: 844 }]) {
				const { page, end } = await open({ search: `${SEARCH}&cube=3d`, reducedMotion: "reduce", ...size });
				await whenShown(page);
				await inspect(page);
				const room = page.getByRole("group", { name: "Turn the cube" });
				await room.scrollIntoViewIfNeeded();
				const body = () => page.locator(".cube-body").getAttribute("style");
				const cutOf = () => page.evaluate(() => /** @type {any} */ (window).parts.cube.peek());
				const [before, cut] = [await body(), await cutOf()];
				await room.focus();
				await page.keyboard.press("ArrowLeft");
				await until(page, async () => (await body()) !== before);
				await page.keyboard.press("Shift+ArrowRight");
				await until(page, async () => (await cutOf()).lon > cut.lon);
				await page.keyboard.press("PageUp");
				await whenLinkSays(page, "date", FIXTURES.ndvi.dates[T + 1]);
				assert.equal(linkValue(page, "cube"), "3d");
				const [turned, box] = [await body(), await room.boundingBox()];
				assert.ok(box);
				await page.mouse.move(box.x + 8, box.y + 8);
				await page.mouse.down();
				await page.mouse.move(box.x + 40, box.y + 30, { steps: 3 });
				await page.mouse.up();
				await until(page, async () => (await body()) !== turned);
				const face = page.locator(".cube-face[data-axis=time]");
				const height = await page.locator(".cube-face[data-axis=lat]").getAttribute("style");
				await page.mouse.move(box.x + box.width / 2, box.y + 10);
				await page.mouse.wheel(0, -200);
				await until(
					page,
					async () => (await page.locator(".cube-face[data-axis=lat]").getAttribute("style")) !== height,
				);
				assert.ok(await face.evaluate((canvas) => /** @type {HTMLCanvasElement} */ (canvas).width > 1));
				await page.screenshot({ path: join(outDir, `cube-${size.width ?? "desk"}.png`) });
				assert.deepEqual(await brokenRules(page), []);
				await end();
			}
		},
	],
]);
