/** Measures the server without a browser: cold and warm cubes, their bytes and the bytes of pictures, films, twenty concurrent viewers. */
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { median, percentile } from "./figures.mjs";
import { tilesIn, tilesOf } from "./screens.mjs";
import { cpuSeconds, startServer } from "./server.mjs";
import { ask, askText } from "./starting.mjs";

/** @typedef {import("./measure.mjs").Season} Season @typedef {import("./measure.mjs").Archive} Archive @typedef {import("./screens.mjs").Tile} Tile */

const WARM_ROUNDS = 5;
const MOST_TILES = 12;
/** Cubes of an archive: enough for the 95th percentile. */
const MOST_CUBES = 48;
const VIEWERS = 20;
const CONNECTIONS = 6;
const TILES_PER_S = 40;
const ALONE_MS = 4000;
/** The same as in the viewer's loader. */
const RETRY_WAITS_MS = [600, 2500];

/** @param {string} layer @param {Tile} tile @param {string} datetime @param {1 | 2} [res] */
const cubePath = (layer, { z, x, y }, datetime, res = 1) =>
	`cubes/${layer}/WebMercatorQuad/${z}/${x}/${y}.ctc?datetime=${datetime}${res === 2 ? "&res=2" : ""}`;

/** @param {string} layer @param {Tile} tile @param {string} date */
const picturePath = (layer, { z, x, y }, date) => `tiles/${layer}/WebMercatorQuad/${z}/${x}/${y}.png?datetime=${date}`;

/** The year that the dates of an archive are in. @param {string} year */
const wholeYear = (year) => `${year}-01-01/${year}-12-31`;

/**
 * Milliseconds until the last byte of an answer over a separate connection. All answers use one buffer: with a new
 * buffer for each part of a large cube, garbage collection in this process would dominate the measurement.
 * @param {string} url @returns {Promise<number>}
 */
const timeOf = (url) =>
	new Promise((resolve, reject) => {
		const { hostname, port, pathname, search } = new URL(url);
		const start = performance.now();
		let head = "";
		const onread = {
			buffer: Buffer.alloc(1 << 16),
			/** @param {number} size @param {Uint8Array} buffer */
			callback: (size, buffer) => {
				head ||= Buffer.from(buffer.subarray(0, Math.min(size, 12))).toString();
				return true;
			},
		};
		const socket = connect({ host: hostname, port: Number(port), onread });
		socket.on("error", reject);
		socket.on("end", () => {
			if (/^HTTP\/1\.1 20[04]$/.test(head)) resolve(performance.now() - start);
			else reject(new Error(`${url} answered ${head}`));
		});
		socket.write(
			`GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n`,
		);
	});

/** Requests each cube of the archives once, then repeatedly, one after the other. @param {import("./server.mjs").Ground} ground @param {Archive[]} archives */
export async function measureCubes(ground, archives) {
	const server = await startServer(ground);
	const found = [];
	try {
		for (const { title, layer, year, bbox, z } of archives) {
			const paths = tilesIn(bbox, z, MOST_CUBES).map((tile) => server.base + cubePath(layer, tile, wholeYear(year)));
			/** @type {number[][]} */
			const [cold, warm] = [[], []];
			for (const path of paths) cold.push(await timeOf(path));
			for (let round = 0; round < WARM_ROUNDS; round++) for (const path of paths) warm.push(await timeOf(path));
			const of = (/** @type {number[]} */ all) => ({ p50_ms: median(all), p95_ms: percentile(all, 0.95) });
			found.push({ title, tiles: paths.length, cold: of(cold), warm: of(warm) });
		}
	} finally {
		await server.stop();
	}
	return found;
}

/** Bytes per date and tile, in a cube and as palette PNG. @param {string} base @param {Archive[]} archives */
export async function measureBytes(base, archives) {
	const found = [];
	for (const { title, layer, year, bbox, z } of archives) {
		const { times } = JSON.parse(await askText(`${base}layers/${layer}/times?limit=1000&datetime=${wholeYear(year)}`));
		const tiles = tilesIn(bbox, z, MOST_TILES);
		const sums = { cube: 0, preview: 0, pictures: 0 };
		let frames = 0;
		for (const tile of tiles) {
			const cube = await ask(base + cubePath(layer, tile, wholeYear(year)));
			if (cube.status !== 200) continue;
			sums.cube += cube.bytes;
			sums.preview += (await ask(base + cubePath(layer, tile, wholeYear(year), 2))).bytes;
			const paths = times.map((/** @type {string} */ time) => base + picturePath(layer, tile, time));
			for (const { bytes } of await Promise.all(paths.map((/** @type {string} */ path) => ask(path))))
				sums.pictures += bytes;
			frames += times.length;
		}
		const each = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / frames]));
		found.push({ title, z, tiles: tiles.length, dates: times.length, frames, ...each });
	}
	return found;
}

/** Films of the season, made by the server. @param {string} base @param {Season} season */
export async function measureFilms(base, { layer, dates, bbox }) {
	const films = [];
	for (const extension of ["gif", "mp4"]) {
		const query = `bbox=${bbox}&width=1024&height=768&labels=date&fps=8`;
		const { ms, bytes, status } = await ask(`${base}animations/${layer}.${extension}?${query}`, "identity");
		films.push({ extension, frames: dates.length, ms, bytes, status });
	}
	return films;
}

/** Milliseconds of classic tiles at a fixed rate, each counted from its scheduled start, until `isOver`. @param {string} base @param {() => string} nextPath @param {() => boolean} isOver */
async function askTiles(base, nextPath, isOver) {
	const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
	/** @type {Promise<number>[]} */
	const answers = [];
	const start = performance.now();
	for (let count = 0; !isOver(); count++) {
		const due = start + (count * 1000) / TILES_PER_S;
		await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
		answers.push(askBy(agent, base + nextPath()).then(() => performance.now() - due));
	}
	const times = await Promise.all(answers);
	agent.destroy();
	return { count: times.length, p50_ms: median(times), p95_ms: percentile(times, 0.95) };
}

/** @param {Agent} agent @param {string} url @returns {Promise<number>} bytes */
const askBy = (agent, url) =>
	new Promise((resolve, reject) => {
		get(url, { agent, headers: { "Accept-Encoding": "gzip" } }, (answer) => {
			let bytes = 0;
			answer.on("data", (part) => {
				bytes += part.length;
			});
			answer.on("end", () =>
				answer.statusCode && answer.statusCode < 400
					? resolve(bytes)
					: reject(new Error(`${answer.statusCode} ${url}`)),
			);
		}).on("error", reject);
	});

/** Requests an address like the viewer, which repeats a request twice if the server is busy. @param {Agent} agent @param {string} url @param {() => void} onBusy */
async function askPatiently(agent, url, onBusy) {
	for (const wait of RETRY_WAITS_MS) {
		try {
			return await askBy(agent, url);
		} catch {
			onBusy();
			await new Promise((resolve) => setTimeout(resolve, wait));
		}
	}
	return askBy(agent, url).catch(() => 0);
}

/** Sends the requests of a viewer that opens a place and moves through its year: the date, previews, the whole year. @param {string} base @param {{ layer: string, tiles: Tile[], year: string, date: string }} wish */
async function view(base, { layer, tiles, year, date }) {
	const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
	const start = performance.now();
	let [bytes, busy] = [0, 0];
	const note = () => {
		busy += 1;
	};
	const all = async (/** @type {string[]} */ paths) => {
		for (const size of await Promise.all(paths.map((path) => askPatiently(agent, base + path, note)))) bytes += size;
		return performance.now() - start;
	};
	const opened = await all(tiles.map((tile) => cubePath(layer, tile, date)));
	const preview = await all(tiles.map((tile) => cubePath(layer, tile, wholeYear(year), 2)));
	const full = await all(tiles.map((tile) => cubePath(layer, tile, wholeYear(year))));
	agent.destroy();
	return { opened, preview, full, bytes, busy };
}

/** Twenty viewers open a year of different new places, while other clients request classic tiles. @param {import("./server.mjs").Ground} ground @param {Season} season @param {Archive} demo */
export async function measureCrowd(ground, { layer, dates, screens }, demo) {
	const server = await startServer(ground);
	const tiles = tilesOf(screens[0]);
	let turn = 0;
	const nextPath = () => {
		turn += 1;
		return picturePath(layer, tiles[turn % tiles.length], dates[turn % dates.length]);
	};
	const quiet = performance.now() + ALONE_MS;
	const alone = await askTiles(server.base, nextPath, () => performance.now() > quiet);
	const layers = ["NDVI", "FAPAR", "FCOVER", "LAI"];
	const demoTiles = tilesIn(demo.bbox, demo.z, MOST_TILES);
	const wishes = Array.from({ length: VIEWERS }, (_, at) => {
		const year = String(2020 + Math.floor(at / layers.length));
		return { layer: layers[at % layers.length], tiles: demoTiles, year, date: `${year}-06-01` };
	});
	const [cpu, start] = [cpuSeconds(server.pid), performance.now()];
	let isOver = false;
	const classic = askTiles(server.base, nextPath, () => isOver);
	const views = await Promise.all(wishes.map((wish) => view(server.base, wish)));
	const seconds = (performance.now() - start) / 1000;
	isOver = true;
	const beside = await classic;
	const used = cpuSeconds(server.pid) - cpu;
	await server.stop();
	const of = (/** @type {"opened" | "preview" | "full"} */ key) => {
		const times = views.map((each) => each[key]);
		return { p50_ms: median(times), p95_ms: percentile(times, 0.95) };
	};
	return {
		viewers: VIEWERS,
		tiles_each: demoTiles.length,
		seconds,
		cpu_s: used,
		busy: views.reduce((sum, each) => sum + each.busy, 0),
		opened: of("opened"),
		preview: of("preview"),
		full: of("full"),
		tiles_per_s: TILES_PER_S,
		alone,
		beside,
	};
}
