// Package interop proves against other people's libraries what we say of them: that Apache Avro's Java library
// and package schema read what the other wrote, and that keys lie where package schema says when Kafka's Java
// producer or librdkafka wrote them. It holds nothing but tests, with the build tag kafka; `make test-kafka`
// runs them.
package interop
