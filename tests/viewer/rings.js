/** Outlines for several tests: longitude and latitude, closed. */

/** Counter-clockwise, as outer rings are. */
export const SQUARE = [
	[4, 51],
	[5, 51],
	[5, 52],
	[4, 52],
	[4, 51],
];

/** Clockwise, inside the square. */
export const HOLE = [
	[4.2, 51.2],
	[4.2, 51.4],
	[4.4, 51.4],
	[4.4, 51.2],
	[4.2, 51.2],
];
