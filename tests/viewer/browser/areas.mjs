/**
 * Scenarios 20 and 21 of the viewer, and places: areas of interest. `node areas.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { zipSync } from "../../../viewer/vendor/fflate.js";
import { centreOf } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";
import { brokenRules, linkValue, noticeTexts, whenAtRest, whenFocused, whenNotice, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {[x: number, y: number]} Pixel */
/** @typedef {{ type: string, coordinates: any }} Geometry */
/** @typedef {{ id: string, properties: { name: string }, geometry: Geometry }} Stored */

const ZOOM = 13;
const CENTRE = centreOf({ row: 128, column: 128 });
const VIEW = { lon: Number(CENTRE.lon.toFixed(5)), lat: Number(CENTRE.lat.toFixed(5)) };
const SEARCH = `?language=en&layer=ndvi&view=${VIEW.lon},${VIEW.lat},${ZOOM}`;
const WORLD_PX = 256 * 2 ** ZOOM;
/** Degrees that one pixel of the map is wide. */
const PIXEL_LON = 360 / WORLD_PX;

const SQUARE = [
	[3.72, 51.04],
	[3.73, 51.04],
	[3.73, 51.05],
	[3.72, 51.05],
	[3.72, 51.04],
];
const FEATURE = {
	type: "Feature",
	properties: { name: "Meadow" },
	geometry: { type: "Polygon", coordinates: [SQUARE] },
};
const SQUARE_WKT = `POLYGON ((${SQUARE.map((position) => position.join(" ")).join(", ")}))`;
/** SQUARE as a link names it. */
const AOI = encodeURIComponent("Meadow~_wovH_quU?o}@o}@??n}@");
const KML = `<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Placemark><name>Meadow</name><Polygon>
<outerBoundaryIs><LinearRing><coordinates>${SQUARE.map((position) => position.join(",")).join(" ")}</coordinates></LinearRing></outerBoundaryIs>
</Polygon></Placemark></kml>`;

/** Returns the map's middle in the window, and its size. @param {Page} page */
async function mapBox(page) {
	const box = await page.locator("#map").boundingBox();
	assert.ok(box, "there is no map");
	return { ...box, middle: /** @type {Pixel} */ ([box.x + box.width / 2, box.y + box.height / 2]) };
}

/** Returns longitude and latitude of a pixel relative to the middle of the map. @param {Pixel} pixel */
function degreesAt([right, down]) {
	const x = (VIEW.lon + 180) / 360 + right / WORLD_PX;
	const lat = (VIEW.lat * Math.PI) / 180;
	const y = 0.5 - Math.log(Math.tan(Math.PI / 4 + lat / 2)) / (2 * Math.PI) + down / WORLD_PX;
	return [x * 360 - 180, (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI];
}

/** @param {number[][]} found @param {Pixel[]} pixels from the middle of the map @param {number} [within] pixels */
function assertAt(found, pixels, within = 1.1) {
	assert.equal(found.length, pixels.length, `${found.length} corners`);
	for (const [index, pixel] of pixels.entries()) {
		const [lon, lat] = degreesAt(pixel);
		const off =
			Math.hypot(found[index][0] - lon, (found[index][1] - lat) / Math.cos((lat * Math.PI) / 180)) / PIXEL_LON;
		assert.ok(off <= within, `corner ${index} is ${off.toFixed(2)} px from ${pixel}`);
	}
}

/**
 * Returns the corners of a ring, starting with the first one of a list.
 * @param {number[][]} ring closed
 * @param {Pixel} first
 */
function cornersFrom(ring, first) {
	const corners = ring.slice(0, -1);
	const [lon, lat] = degreesAt(first);
	const distances = corners.map(([x, y]) => Math.hypot(x - lon, y - lat));
	const at = distances.indexOf(Math.min(...distances));
	return [...corners.slice(at), ...corners.slice(0, at)];
}

/** Returns the areas in the browser's storage. @param {Page} page @returns {Promise<Stored[]>} */
const storedAreas = (page) =>
	page.evaluate(() => JSON.parse(window.localStorage.getItem("chronotile.areas") ?? '{"features":[]}').features);

/** @param {Page} page @param {number} count */
async function whenAreas(page, count) {
	await page.waitForFunction((wanted) => document.querySelectorAll(".areas-row").length === wanted, count);
	return storedAreas(page);
}

/**
 * Waits until areas can be drawn on a map with its final size.
 * @param {Page} page
 * @param {string} search
 */
async function whenReady(page, search) {
	await whenShown(page);
	await page.locator(".areas-head").waitFor();
	await whenAtRest(page, "#map");
	assert.ok(search.startsWith("?"));
}

/** @param {import("./harness.mjs").Bench["open"]} open @param {import("./harness.mjs").OpenOptions} [options] */
async function openAreas(open, options = {}) {
	const search = options.search ?? SEARCH;
	const opened = await open({ ...options, search });
	await whenReady(opened.page, search);
	return opened;
}

/** Returns the button of a tool in the drawing menu on the map. @param {Page} page @param {string} name */
async function mapTool(page, name) {
	const opener = page.locator(".area-tools > button");
	if ((await opener.getAttribute("aria-expanded")) === "false") await opener.click();
	await page.locator("html:not([data-loading])").waitFor({ state: "attached" });
	return page.locator(".area-shapes").getByRole("button", { name });
}

/** Starts a tool, whose modules may be loaded after the click. @param {Page} page @param {string} name */
async function startTool(page, name) {
	await (await mapTool(page, name)).click();
	await page.locator("html:not([data-loading])").waitFor({ state: "attached" });
}

/**
 * Clicks at pixels relative to the map's centre when the tool was started.
 * @param {Page} page
 * @param {Pixel[]} pixels
 */
async function clickAt(page, pixels) {
	const { middle } = await mapBox(page);
	for (const [right, down] of pixels) await page.mouse.click(middle[0] + right, middle[1] + down);
}

/** @param {Page} page @param {string} name @param {string} content @param {string} [type] */
const upload = (page, name, content, type = "application/octet-stream") =>
	uploadBytes(page, name, Buffer.from(content), type);

/** @param {Page} page @param {string} name @param {Buffer} buffer @param {string} mimeType */
async function uploadBytes(page, name, buffer, mimeType) {
	const choosing = page.waitForEvent("filechooser");
	await page.getByRole("button", { name: /^Upload a file/ }).click();
	await (await choosing).setFiles({ name, mimeType, buffer });
}

/** @type {Pixel[]} */
const TRIANGLE = [
	[-120, -40],
	[100, -30],
	[20, 60],
];

/** @param {Page} page */
async function drawTriangle(page) {
	await startTool(page, "Draw a polygon");
	await clickAt(page, [...TRIANGLE, TRIANGLE[0]]);
	return whenAreas(page, 1);
}

/** @param {Page} page @param {string} action */
async function rowAction(page, action) {
	const more = page.getByRole("button", { name: /^More for/ }).first();
	if ((await more.getAttribute("aria-expanded")) === "false") await more.click();
	await page.locator(".areas-actions").first().getByRole("button", { name: action, exact: true }).click();
}

/** Returns the bytes of a downloaded file. @param {Page} page @param {() => Promise<void>} act */
async function download(page, act) {
	const [file] = await Promise.all([page.waitForEvent("download"), act()]);
	return { name: file.suggestedFilename(), content: await readFile(await file.path(), "utf8") };
}

await runAsCalled([
	[
		"20 a polygon is drawn by clicks, and by a double click done",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await startTool(page, "Draw a polygon");
			const { middle } = await mapBox(page);
			await clickAt(page, TRIANGLE);
			await page.mouse.dblclick(middle[0] - 90, middle[1] + 30);

			const [area] = await whenAreas(page, 1);
			assertAt(cornersFrom(area.geometry.coordinates[0], TRIANGLE[0]), [
				TRIANGLE[0],
				[-90, 30],
				TRIANGLE[2],
				TRIANGLE[1],
			]);
			assert.equal(linkValue(page, "view")?.split(",")[2], String(ZOOM));
		},
	],
	[
		"20 a click on the first corner closes a polygon, and no click of it chooses a point",
		async ({ open }) => {
			const { page } = await openAreas(open);
			const [area] = await drawTriangle(page);

			assertAt(cornersFrom(area.geometry.coordinates[0], TRIANGLE[0]), [TRIANGLE[0], TRIANGLE[2], TRIANGLE[1]]);
			await whenAtRest(page);
			assert.equal(linkValue(page, "pt"), null);
			assert.ok(linkValue(page, "aoi"), "the link does not name the area");
		},
	],
	[
		"20 a rectangle is drawn by two clicks or by one drag",
		async ({ open }) => {
			for (const isDragged of [false, true]) {
				const { page } = await openAreas(open);
				await startTool(page, "Draw a rectangle");
				const { middle } = await mapBox(page);
				if (isDragged) {
					await page.mouse.move(middle[0] - 100, middle[1] - 50);
					await page.mouse.down();
					await page.mouse.move(middle[0], middle[1], { steps: 4 });
					await page.mouse.move(middle[0] + 60, middle[1] + 70, { steps: 4 });
					await page.mouse.up();
				} else
					await clickAt(page, [
						[-100, -50],
						[60, 70],
					]);

				const [area] = await whenAreas(page, 1);
				assertAt(cornersFrom(area.geometry.coordinates[0], [-100, -50]), [
					[-100, -50],
					[-100, 70],
					[60, 70],
					[60, -50],
				]);
				await whenAtRest(page);
				assert.equal(linkValue(page, "pt"), null);
			}
		},
	],
	[
		"20 a circle is as far from its centre everywhere; a point is where the click was",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await startTool(page, "Draw a circle");
			await clickAt(page, [
				[10, 20],
				[10, 100],
			]);
			const [circle] = await whenAreas(page, 1);
			const [ring] = circle.geometry.coordinates;
			const [lon, lat] = degreesAt([10, 20]);
			const radii = ring.map((/** @type {number[]} */ [x, y]) =>
				Math.hypot((x - lon) * Math.cos((lat * Math.PI) / 180), y - lat),
			);
			assert.equal(ring.length, 65);
			assert.ok(Math.max(...radii) - Math.min(...radii) < 0.05 * radii[0], "it is no circle");

			await page.getByRole("button", { name: /^Close the chart/ }).click();
			await whenAtRest(page, "#map");
			const [, , point] = [
				await startTool(page, "Set a point"),
				await clickAt(page, [[40, 10]]),
				(await whenAreas(page, 2))[1],
			];
			assert.equal(point.geometry.type, "Point");
			assert.equal(point.properties.name, "Point 1");
		},
	],
	[
		"20 a polygon is drawn by the keyboard alone",
		async ({ open, outDir }) => {
			const { page } = await openAreas(open);
			await (await mapTool(page, "Draw a polygon")).focus();
			await page.keyboard.press("Enter");
			await whenFocused(page, "map");
			const press = async (/** @type {string[]} */ ...keys) => {
				for (const key of keys) await page.keyboard.press(key);
			};
			await press("Enter", "ArrowRight", "ArrowRight", "Enter", "ArrowDown", "Shift+ArrowDown", "Enter");
			await press("ArrowLeft", "Enter", "Backspace");
			await page.screenshot({ path: join(outDir, "drawn-by-keys.png") });
			await press("ArrowLeft", "Enter", "Enter");

			const [area] = await whenAreas(page, 1);
			assertAt(
				cornersFrom(area.geometry.coordinates[0], [0, 0]),
				[
					[0, 0],
					[0, 44],
					[80, 44],
					[80, 0],
				],
				1.6,
			);
			await whenFocused(page, "map");
		},
	],
	[
		"20 a rectangle, a circle and a point are set by the keyboard alone",
		async ({ open }) => {
			const { page } = await openAreas(open);
			for (const [count, tool] of ["Draw a rectangle", "Draw a circle", "Set a point"].entries()) {
				await (await mapTool(page, tool)).focus();
				await page.keyboard.press("Enter");
				await whenFocused(page, "map");
				await page.keyboard.press("Enter");
				if (tool !== "Set a point")
					for (const key of ["ArrowRight", "ArrowDown", "Enter"]) await page.keyboard.press(key);
				await whenAreas(page, count + 1);
			}

			const [rectangle] = await storedAreas(page);
			assertAt(
				cornersFrom(rectangle.geometry.coordinates[0], [0, 0]),
				[
					[0, 0],
					[0, 40],
					[40, 40],
					[40, 0],
				],
				1.6,
			);
		},
	],
	[
		"20 coordinates are typed in place of clicks, and wrong ones are refused with what is right",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await startTool(page, "Draw a rectangle");
			await page.getByRole("button", { name: "Type coordinates" }).click();
			const type = async (/** @type {string} */ lat, /** @type {string} */ lon) => {
				await page.getByLabel("Latitude").fill(lat);
				await page.getByLabel("Longitude").fill(lon);
				await page.keyboard.press("Enter");
			};
			await type("512", "3.72");
			await page.getByText("Latitude must be from −90 to 90").waitFor();
			await type("51,04", "3.72");
			await type("51.05", "3.73");

			const [area] = await whenAreas(page, 1);
			assert.deepEqual(area.geometry.coordinates, [SQUARE]);
		},
	],
	[
		"20 a circle of a typed radius has its area",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await startTool(page, "Draw a circle");
			await page.getByRole("button", { name: "Type coordinates" }).click();
			await page.getByLabel("Latitude").fill("51.04");
			await page.getByLabel("Longitude").fill("3.72");
			await page.keyboard.press("Enter");
			await page.getByLabel("Radius in metres").fill("1000");
			await page.keyboard.press("Enter");

			await whenAreas(page, 1);
			const hectares = Number.parseFloat(await page.locator(".areas-size").innerText());
			assert.ok(Math.abs(hectares - 314) <= 1, `${hectares} ha`);
		},
	],
	[
		"20 Backspace and Undo take corners back, Redo gives them again, Escape leaves nothing",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await startTool(page, "Draw a polygon");
			await clickAt(page, TRIANGLE);
			const knots = page.locator(".leaflet-draft-pane path[fill='#fff']");
			assert.equal(await knots.count(), 3);
			await page.keyboard.press("Backspace");
			assert.equal(await knots.count(), 2);
			await page.getByRole("button", { name: "Undo" }).click();
			assert.equal(await knots.count(), 1);
			await page.keyboard.press("Control+Shift+Z");
			await page.getByRole("button", { name: "Redo" }).click();
			assert.equal(await knots.count(), 3);
			await page.keyboard.press("Escape");

			assert.equal(await knots.count(), 0);
			assert.deepEqual(await whenAreas(page, 0), []);
			// Until the tool is laid down, clicks choose no point.
			await page.locator('.area-shapes [aria-pressed="true"]').waitFor({ state: "detached" });
			await clickAt(page, [[0, 0]]);
			await page.locator("#chart").waitFor();
		},
	],
	[
		"20 corners are dragged, added and taken away by the pointer; Done keeps them",
		async ({ open, outDir }) => {
			const { page } = await openAreas(open);
			const [before] = await drawTriangle(page);
			// The chart of it takes room from the map.
			await page.locator("#chart .plot-drawing").first().waitFor();
			await page.locator('#chart .place-state[data-kind="exact"]').waitFor();
			await rowAction(page, "Edit shape");
			const handles = page.locator(".area-handle[data-kind=corner]");
			await handles.nth(2).waitFor();
			assert.equal(await handles.count(), 3);
			await whenAtRest(page, "#map", ".area-handle");
			await page.screenshot({ path: join(outDir, "corners.png") });
			const drag = async (/** @type {import("playwright-core").Locator} */ handle) => {
				const box = await handle.boundingBox();
				assert.ok(box && box.width >= 24 && box.height >= 24, "the handle is too small");
				await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
				await page.mouse.down();
				await page.mouse.move(box.x + box.width / 2 + 15, box.y + box.height / 2 - 10, { steps: 3 });
				await page.mouse.up();
			};
			await drag(handles.first());
			await drag(page.locator(".area-handle[data-kind=middle]").first());
			assert.equal(await handles.count(), 4);
			await page.getByRole("button", { name: "Finish" }).click();

			const [after] = await storedAreas(page);
			const [was, is] = [before, after].map(({ geometry }) => geometry.coordinates[0]);
			assert.equal(is.length, 5);
			const moved = degreesAt([15, -10]);
			assert.ok(
				Math.abs(is[0][0] - was[0][0] - (moved[0] - VIEW.lon)) < 1.5 * PIXEL_LON,
				JSON.stringify([was, is, PIXEL_LON, page.url()]),
			);
			assert.ok(Math.abs(is[0][1] - was[0][1] - (moved[1] - VIEW.lat)) < 1.5 * PIXEL_LON);
			assert.equal(await handles.count(), 0);
		},
	],
	[
		"20 corners are moved, added and taken away by keys; Escape leaves the area as it was",
		async ({ open }) => {
			const { page } = await openAreas(open);
			const [before] = await drawTriangle(page);
			await rowAction(page, "Edit shape");
			const label = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
			await page.getByRole("button", { name: "Corner 1 of 3" }).focus();
			await page.keyboard.press("ArrowRight");
			await page.keyboard.press("Shift+ArrowUp");
			assert.equal(await label(), "Corner 1 of 3");
			await page.keyboard.press("+");
			assert.equal(await label(), "Corner 2 of 4");
			await page.keyboard.press("Tab");
			assert.equal(await label(), "Corner 3 of 4");
			await page.keyboard.press("Delete");
			assert.equal(await label(), "Corner 3 of 3");
			await page.keyboard.press("Delete");
			assert.equal(await page.locator(".area-handle[data-kind=corner]").count(), 3);
			await page.keyboard.press("Enter");
			const [after] = await storedAreas(page);
			const [was, is] = [before, after].map(({ geometry }) => geometry.coordinates[0][0]);
			assert.ok(Math.abs(is[0] - was[0] - 10 * PIXEL_LON) < 0.5 * PIXEL_LON, `${is[0] - was[0]}`);
			assert.ok(is[1] > was[1] && is[1] - was[1] < 1.5 * PIXEL_LON);

			await rowAction(page, "Edit shape");
			await page.getByRole("button", { name: "Move the whole area" }).focus();
			await page.keyboard.press("ArrowDown");
			await page.keyboard.press("Control+z");
			await page.keyboard.press("ArrowLeft");
			await page.keyboard.press("Escape");
			assert.deepEqual(await storedAreas(page), [after]);
		},
	],
	[
		"20 what is measured is as long as on the ellipsoid",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await page.locator("#map-tools").getByRole("button", { name: "Measure" }).click();
			await page.getByRole("button", { name: "Type coordinates" }).click();
			for (const [lat, lon] of [
				["51.04", "3.72"],
				["51.04", "3.74"],
			]) {
				await page.getByLabel("Latitude").fill(lat);
				await page.getByLabel("Longitude").fill(lon);
				await page.keyboard.press("Enter");
			}
			await page.getByRole("button", { name: "Finish" }).click();

			// pyproj.Geod(ellps="WGS84").inv(3.72, 51.04, 3.74, 51.04) is 1402.83 m.
			assert.equal(await page.locator(".draw-size").innerText(), "Length 1.4 km");
			assert.match((await page.locator(".draw-size").getAttribute("title")) ?? "", /WGS 84/);
			await page.keyboard.press("Escape");
			assert.equal(await page.locator(".draw-bar").isVisible(), false);
		},
	],
	[
		"20 fingers draw on a phone",
		async ({ open, base, outDir }) => {
			const { page: first } = await open();
			const context = await first
				.context()
				.browser()
				?.newContext({ hasTouch: true, isMobile: true, viewport: { width: 360, height: 640 } });
			assert.ok(context);
			const page = await context.newPage();
			await page.goto(new URL(`viewer/${SEARCH}`, base).href);
			await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
			await page.locator(".area-tools > button").tap();
			await page.locator(".area-shapes").getByRole("button", { name: "Draw a polygon" }).tap();
			await page.locator("html:not([data-loading])").waitFor({ state: "attached" });
			await whenAtRest(page, "#map");
			const { middle } = await mapBox(page);
			const now = await page.evaluate(() => Date.now());
			for (const [right, down, ms] of [
				[-60, -40, 0],
				[60, -40, 1000],
				// As quickly as the second tap of a double tap, but at another position.
				[40, 30, 1001],
			]) {
				await page.clock.setFixedTime(now + ms);
				await page.touchscreen.tap(middle[0] + right, middle[1] + down);
			}
			await page.screenshot({ path: join(outDir, "phone-drawing.png") });
			await page.getByRole("button", { name: "Finish" }).tap();

			await page.waitForFunction(() => document.querySelectorAll(".areas-row").length === 1);
			assert.equal((await storedAreas(page))[0].geometry.coordinates[0].length, 4);
			await context.close();
		},
	],
	[
		"20 while something is drawn nothing is wrong for those who use other aids",
		async ({ open }) => {
			for (const scheme of /** @type {const} */ (["light", "dark"])) {
				const { page } = await openAreas(open, { scheme });
				await drawTriangle(page);
				await rowAction(page, "Edit shape");
				assert.deepEqual(await brokenRules(page), []);
				await page.keyboard.press("Escape");
				await startTool(page, "Draw a polygon");
				await page.getByRole("button", { name: "Type coordinates" }).click();
				assert.deepEqual(await brokenRules(page), []);
			}
		},
	],
	[
		"21 GeoJSON, KML, KMZ, WKT and CSV are loaded, chosen or dropped",
		async ({ open, outDir }) => {
			const { page } = await openAreas(open);
			await upload(page, "a.geojson", JSON.stringify({ type: "FeatureCollection", features: [FEATURE] }));
			await whenNotice(page, /^One area was read from a\.geojson\.$/);
			await upload(page, "a.kml", KML);
			await whenAreas(page, 2);
			await uploadBytes(page, "a.kmz", Buffer.from(zipSync({ "doc.kml": new TextEncoder().encode(KML) })), "");
			await whenAreas(page, 3);
			await upload(page, "a.wkt", SQUARE_WKT);
			await whenAreas(page, 4);
			const drop = await page.evaluateHandle((content) => {
				const transfer = new DataTransfer();
				transfer.items.add(new File([content], "a.csv"));
				return transfer;
			}, `id,name,geometry,date,value\n7,Meadow,"${SQUARE_WKT}",2019-01-01,0.5\n7,Meadow,"${SQUARE_WKT}",2019-01-06,0.6\n`);
			await page.dispatchEvent("#map", "dragenter", { dataTransfer: drop });
			await page.screenshot({ path: join(outDir, "dropping.png") });
			await page.dispatchEvent("#map", "drop", { dataTransfer: drop });

			const areas = await whenAreas(page, 5);
			assert.deepEqual(
				areas.map(({ geometry }) => geometry.coordinates),
				Array.from({ length: 5 }, () => [SQUARE]),
			);
			assert.deepEqual(
				areas.map(({ properties }) => properties.name),
				["Meadow", "Meadow", "Meadow", "Area 1", "Meadow"],
			);
			await page.screenshot({ path: join(outDir, "areas.png") });
		},
	],
	[
		"21 a file that cannot be read gives its reason and its line, and one that is too large is refused",
		async ({ open }) => {
			const { page } = await openAreas(open);
			/** @type {[string, string, RegExp][]} */
			const files = [
				[
					"bad.geojson",
					'{"type": "Feature",\n"geometry": nul}',
					/^bad\.geojson was not read: Line 2 is not valid JSON/,
				],
				[
					"lambert.json",
					JSON.stringify({ ...FEATURE, geometry: { type: "Point", coordinates: [104000, 193000] } }),
					/104000, 193000 is not a longitude/,
				],
				["lines.wkt", "LINESTRING (3 51, 4 51)", /no points and no polygons/],
				["bad.kml", "<kml>\n<Placemark></kml>", /Line 2 is not valid XML/],
				["svg.xml", "<svg></svg>", /neither KML nor GPX/],
				["words.txt", "Nothing here", /Use GeoJSON/],
				["rows.csv", 'id,geometry\n1,"POINT (3 51)"\n2,POINT (3', /Line 3: The WKT is incomplete/],
				[
					"many.json",
					JSON.stringify({ type: "FeatureCollection", features: Array.from({ length: 5001 }, () => FEATURE) }),
					/has 5,001 points and polygons; the limit is 5,000/,
				],
				["huge.json", " ".repeat(10_000_001), /larger than the limit of 10 MB/],
			];
			for (const [name, content, reason] of files) {
				await upload(page, name, content);
				await whenNotice(page, reason);
			}
			assert.deepEqual(await storedAreas(page), []);
		},
	],
	[
		"21 an area that is pasted is taken, and a bad one says why",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await page.getByRole("button", { name: "Paste or type an area" }).click();
			await page.getByLabel("Area as text").fill("POLYGON ((3.72 51.04, oops");
			await page.getByRole("button", { name: "Add", exact: true }).click();
			await page.getByText(/cannot be read at “oops”/).waitFor();
			await page.getByLabel("Area as text").fill(SQUARE_WKT);
			await page.getByRole("button", { name: "Add", exact: true }).click();

			const [area] = await whenAreas(page, 1);
			assert.deepEqual(area.geometry.coordinates, [SQUARE]);
			await page.locator("dialog").waitFor({ state: "detached" });
		},
	],
	[
		"21 areas, names and what is in the chart survive a reload; removing all asks first and clears the storage",
		async ({ open, outDir }) => {
			const { page } = await openAreas(open);
			await upload(page, "a.wkt", SQUARE_WKT);
			await whenAreas(page, 1);
			await rowAction(page, "Rename");
			await page.getByLabel("Name of the area").fill("  Back field ");
			await page.keyboard.press("Enter");
			await whenAtRest(page);
			await page.reload();
			await whenReady(page, SEARCH);
			const [area] = await whenAreas(page, 1);
			assert.deepEqual([area.properties.name, area.geometry.coordinates], ["Back field", [SQUARE]]);
			assert.ok(await page.getByRole("checkbox", { name: "Values of Back field in the chart" }).isChecked());

			await page.getByRole("button", { name: "Remove all" }).click();
			await page.screenshot({ path: join(outDir, "asks.png") });
			await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
			assert.equal((await storedAreas(page)).length, 1);
			await page.getByRole("button", { name: "Remove all" }).click();
			await page.getByRole("dialog").getByRole("button", { name: "Remove all" }).click();
			await whenAreas(page, 0);
			assert.equal(await page.evaluate(() => window.localStorage.getItem("chronotile.areas")), null);
		},
	],
	[
		"21 an area that is removed can be had back where it was",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await upload(page, "a.wkt", `${SQUARE_WKT}; POINT (3.72 51.05)`);
			const before = await whenAreas(page, 2);
			await rowAction(page, "Remove");
			await whenAreas(page, 1);
			await page.locator("#notices").getByRole("button", { name: "Undo" }).click();

			assert.deepEqual(await whenAreas(page, 2), before);
		},
	],
	[
		"21 what is downloaded gives the same areas again",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await upload(
				page,
				"a.wkt",
				`${SQUARE_WKT}; POINT (3.72 51.05); MULTIPOLYGON (((3.7 51, 3.71 51, 3.71 51.01, 3.7 51)), ((3.8 51, 3.81 51, 3.81 51.01, 3.8 51)))`,
			);
			const before = await whenAreas(page, 3);
			const files = [];
			for (const format of ["GeoJSON", "CSV"]) {
				const save = () => page.getByRole("button", { name: `Download all areas as ${format}` }).click();
				files.push(await download(page, save));
			}
			await page.getByRole("button", { name: "Remove all" }).click();
			await page.getByRole("dialog").getByRole("button", { name: "Remove all" }).click();
			await whenAreas(page, 0);
			for (const [index, { name, content }] of files.entries()) {
				await upload(page, name, content);
				await whenAreas(page, 3 * (index + 1));
			}

			const after = await whenAreas(page, 6);
			assert.deepEqual(
				files.map(({ name }) => name),
				["areas.geojson", "areas.csv"],
			);
			const what = (/** @type {Stored[]} */ areas) =>
				areas.map(({ properties, geometry }) => [properties.name, geometry]);
			assert.deepEqual(what(after), [...what(before), ...what(before)]);
		},
	],
	[
		"21 a link leads others to the areas that are looked at, without keeping them there",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await drawTriangle(page);
			await upload(page, "a.json", JSON.stringify({ ...FEATURE, properties: { name: "Été; ~1 & <b>" } }));
			const before = await whenAreas(page, 2);
			await whenAtRest(page);
			const { search } = new URL(page.url());

			const { page: other } = await openAreas(open, { search });
			await other.waitForFunction(() => document.querySelectorAll(".areas-row").length === 2);
			assert.deepEqual(await storedAreas(other), []);
			assert.deepEqual(await other.locator(".areas-name").allInnerTexts(), ["Area 1", "Été; ~1 & <b>"]);
			await other.getByText("From the link; not saved in this browser.").first().waitFor();
			await rowAction(other, "Keep");
			assert.deepEqual((await storedAreas(other))[0].geometry, before[0].geometry);
		},
	],
	[
		"21 an area that is too large for a link is said to be",
		async ({ open }) => {
			const { page } = await openAreas(open);
			const ring = Array.from({ length: 1000 }, (_, index) => {
				const angle = (index / 1000) * 2 * Math.PI;
				return [3.72 + 0.02 * Math.cos(angle) + 1e-5 * (index % 7), 51.04 + 0.01 * Math.sin(angle)];
			});
			const geometry = { type: "Polygon", coordinates: [[...ring, ring[0]]] };
			await upload(page, "round.json", JSON.stringify({ ...FEATURE, geometry }));
			await page.getByText(/^Too large for a link: Meadow\. Download it as GeoJSON/).waitFor();
			await whenAtRest(page);

			assert.equal(linkValue(page, "aoi"), null);
		},
	],
	[
		"21 side by side an area is outlined at the same place of both maps, when the chart has taken room too",
		async ({ open }) => {
			const { page } = await open({ search: `${SEARCH}&compare=side&aoi=${AOI}` });
			await page.locator('#chart .place-state[data-kind="exact"]').first().waitFor();
			await page.waitForFunction(() => document.querySelectorAll(".leaflet-areas-pane path").length === 4);
			await whenAtRest(page, ".leaflet-container", ".leaflet-areas-pane path");
			const places = await page.locator(".leaflet-container").evaluateAll((maps) =>
				maps.map((map) => {
					const [frame, path] = [map, map.querySelector(".leaflet-areas-pane path")].map((each) =>
						each?.getBoundingClientRect(),
					);
					return frame && path ? [path.x - frame.x, path.y - frame.y, path.width, path.height] : [];
				}),
			);

			assert.equal(places.length, 2);
			for (const [at, value] of places[0].entries()) assert.ok(Math.abs(value - places[1][at]) <= 1, `${places}`);
		},
	],
	[
		"21 a damaged link and a damaged storage cost only what is damaged",
		async ({ open }) => {
			const { page } = await openAreas(open, { search: `${SEARCH}&aoi=A~_p~iF` });
			await whenNotice(page, /^An area in the link could not be read/);
			await upload(page, "a.wkt", SQUARE_WKT);
			await whenAreas(page, 1);
			await page.evaluate(() => {
				const stored = JSON.parse(window.localStorage.getItem("chronotile.areas") ?? "");
				stored.features.push({ id: "area-9", geometry: { type: "Polygon", coordinates: "?" } }, null, 7);
				window.localStorage.setItem("chronotile.areas", JSON.stringify(stored));
			});
			await page.goto(new URL(`viewer/${SEARCH}`, page.url().replace(/viewer\/.*/, "")).href);
			await whenReady(page, SEARCH);
			await page.waitForFunction(() => document.querySelectorAll(".areas-row").length === 1);
			await page.evaluate(() => window.localStorage.setItem("chronotile.areas", "{"));
			await page.reload();
			await whenReady(page, SEARCH);
			assert.equal(await page.locator(".areas-row").count(), 0);
		},
	],
	[
		"21 names from files are shown as text",
		async ({ open }) => {
			const { page, faults } = await openAreas(open);
			const name = '<img src="x" onerror="alert(1)"> \u202e"; <b>';
			await upload(page, "a.json", JSON.stringify({ ...FEATURE, properties: { name } }));
			await whenAreas(page, 1);
			await rowAction(page, "Remove");
			await whenNotice(page, /was removed/);

			assert.ok((await noticeTexts(page)).some((words) => words.includes('<img src="x" onerror="alert(1)">')));
			assert.equal(await page.locator("img[src=x]").count(), 0);
			assert.deepEqual(faults, []);
		},
	],
	[
		"21 a browser without room says so and keeps what was there",
		async ({ open }) => {
			const { page } = await openAreas(open);
			await upload(page, "a.wkt", SQUARE_WKT);
			const before = await whenAreas(page, 1);
			await page.evaluate(() => {
				for (let size = 2 ** 22; size > 0; size = Math.floor(size / 2)) {
					try {
						const key = `filling ${size}`;
						window.localStorage.setItem(key, "x".repeat(size));
					} catch {
						// It is fuller than that.
					}
				}
			});
			await upload(page, "b.wkt", SQUARE_WKT);
			await whenNotice(page, /^The browser’s storage is full/);

			assert.deepEqual(await whenAreas(page, 2), before);
		},
	],
	[
		"21 a page within a page keeps nothing",
		async ({ open }) => {
			const { page } = await open({ search: `${SEARCH}&embed=1&aoi=${AOI}` });
			await whenShown(page);
			await page.waitForFunction(() => document.querySelectorAll(".leaflet-areas-pane path").length > 0);

			assert.equal(await page.evaluate(() => window.localStorage.length), 0);
		},
	],
	[
		"21 what one window keeps another one shows",
		async ({ open }) => {
			const { page } = await openAreas(open);
			const other = await page.context().newPage();
			await other.goto(page.url());
			await whenReady(other, SEARCH);
			await upload(page, "a.wkt", SQUARE_WKT);
			await other.waitForFunction(() => document.querySelectorAll(".areas-row").length === 1);
			await page.getByRole("button", { name: "Remove all" }).click();
			await page.getByRole("dialog").getByRole("button", { name: "Remove all" }).click();
			await other.waitForFunction(() => document.querySelectorAll(".areas-row").length === 0);
		},
	],
]);
