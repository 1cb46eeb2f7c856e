// Package qa plays the orders that CJ's integration engineer asks for before an advertiser goes live, and
// writes a report that can be mailed to the engineer.
//
// What CJ must make of an order is worked out here, from the order alone and without package postback: the
// totals of the sample orders are written beside them by hand, every parameter is derived anew. A strict fake
// CJ, which shares no code with the sender either, reads what was really sent. The report holds the two side by
// side. So a mistake in the sender shows as a failed scenario and not as a plausible report.
package qa
