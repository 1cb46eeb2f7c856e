package capture_test

import (
	"context"
	"log"
	"net/http"
	"os/signal"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/capture"
	"github.com/cjrelay/cjrelay/schema"
)

// A shop in Go puts the middleware before its handlers.
func Example() {
	encode, err := capture.NewEncoder(schema.FormatJSON, capture.TopicDefault, nil)
	if err != nil {
		log.Fatal(err)
	}
	edge, err := capture.New(capture.Config{
		Client:        []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092")},
		CookieDomain:  "example.com",
		Encode:        encode,
		SessionCookie: "sid",
		Spool:         capture.Spool{Dir: "./spool"},
	})
	if err != nil {
		log.Fatal(err)
	}
	shop := http.NewServeMux()
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: edge.Middleware(shop)}

	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	// The edge stops after the server, so that it takes the clicks of the last pages, too.
	running, stopEdge := context.WithCancel(context.Background())
	go func() {
		<-stopping.Done()
		_ = server.Shutdown(context.Background())
		stopEdge()
	}()
	go func() { _ = server.ListenAndServe() }()
	if err := edge.Run(running); err != nil {
		log.Fatal(err)
	}
}
