// Package sessions is the click table: the compacted click topic as a local store, and the answer to "which
// click counts for this order?" with a reason for every miss.
//
// A verdict, hit or miss, is only given behind a Gate: after the table has read past the end of the click
// topic as it was listed after the order was read. A table that is behind delays orders; it never
// mislabels them.
package sessions
