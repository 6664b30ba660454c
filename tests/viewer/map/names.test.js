import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseNames, readTowns } from "../../../viewer/map/name-layout.js";

const WORLD = 4096;
const ALL = { left: 0, top: 0, width: WORLD, height: WORLD };
const widthOf = (/** @type {string} */ name) => 7 * name.length;

/** @param {[name: string, lon: number, lat: number][]} towns */
const townsOf = (towns) =>
	readTowns({
		names: towns.map(([name]) => name),
		lons: towns.map(([, lon]) => Math.round(lon * 1000)),
		lats: towns.map(([, , lat]) => Math.round(lat * 1000)),
	});

test("a town is where Web Mercator has it", () => {
	const towns = townsOf([["Gent", 90, 66.51326]]);

	assert.deepEqual(towns.names, ["Gent"]);
	const [{ x, y }] = chooseNames(towns, WORLD, ALL, widthOf);
	assert.equal(x, 0.75 * WORLD);
	assert.ok(Math.abs(y - WORLD / 4) < 0.1, `${y}`);
});

test("of towns near one another the larger one has its name, and those apart have theirs", () => {
	const towns = townsOf([
		["Large", 4, 51],
		["Small", 4.5, 51.2],
		["Apart", 40, 51],
		["Above", 4, 60],
	]);

	const named = chooseNames(towns, WORLD, ALL, widthOf).map(({ index }) => towns.names[index]);

	assert.deepEqual(named, ["Large", "Apart", "Above"]);
});

test("a town of several files is named once, in the order of their size in the world", () => {
	const world = { names: ["Large", "Next"], lons: [4000, 40_000], lats: [51_000, 51_000] };
	const near = { names: ["Next", "Small"], lons: [40_000, 44_000], lats: [51_000, 51_000], ranks: [1, 9000] };
	const towns = readTowns(world, near);

	assert.deepEqual(
		[towns.names, towns.ranks],
		[
			["Large", "Next", "Small"],
			[0, 1, 9000],
		],
	);
	const named = chooseNames(towns, WORLD, ALL, widthOf).map(({ index }) => towns.names[index]);
	assert.deepEqual(named, ["Large", "Next"]);
});

test("names are those of the window, also where the map was turned round the world", () => {
	const towns = townsOf([
		["East", 170, 0],
		["West", -170, 20],
		["Elsewhere", 0, 0],
	]);
	const window = { left: WORLD - 500, top: 0, width: 1000, height: WORLD };

	const named = chooseNames(towns, WORLD, window, widthOf);

	assert.deepEqual(
		named.map(({ index, x }) => [towns.names[index], Math.round((x / WORLD - 0.5) * 360)]),
		[
			["East", 170],
			["West", 190],
		],
	);
});

test("the farther away, the larger the towns that have names", () => {
	const lattice = Array.from(
		{ length: 4000 },
		(_, at) =>
			/** @type {[string, number, number]} */ ([`T${at}`, (at % 80) * 4.5 - 179, Math.floor(at / 80) * 3 - 75]),
	);
	const last = (/** @type {number} */ size) =>
		Math.max(
			...chooseNames(townsOf(lattice), size, { ...ALL, width: size, height: size }, widthOf).map(({ index }) => index),
		);

	assert.ok(last(1024) < 128);
	assert.ok(last(32_768) > 3000);
});
