// Package demo is a whole shop on one machine: Kafka, a schema registry and a strict fake CJ in this process,
// shoppers who land and buy, faults, and the real relay between them. At the end it checks what CJ received
// against what it knows of every order.
//
// What the demo knows, it knows from its own seed: the clicks that count, the amounts, the parameters that CJ
// must get. It computes them with integers of its own and never asks the code under test.
package demo
