// Package schema says what an order, a click and an outcome are: their fields, their wire formats
// (Avro in Confluent's framing, JSON, a bare click id), exact money, and the partition a key belongs to.
//
// Everything that reaches a later room has passed the checks here. What CJ additionally demands of a
// parameter belongs to package postback.
package schema
