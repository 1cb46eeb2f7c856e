package schema

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeRegistry is a registry over HTTP that has the order schema under id 7.
type fakeRegistry struct {
	*srfake.Registry
	decode OrderDecoder
	value  []byte
	hits   atomic.Int64
}

func newFakeRegistry(t *testing.T, options ...sr.ClientOpt) *fakeRegistry {
	t.Helper()
	fake := &fakeRegistry{Registry: srfake.New()}
	fake.SeedSchema("order.confirmed-value", 1, 7, sr.Schema{Schema: OrderConfirmedSchema})
	fake.Intercept(func(http.ResponseWriter, *http.Request) bool { fake.hits.Add(1); return false })
	connections := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		connections.CloseIdleConnections()
		fake.Close()
	})
	client, err := sr.NewClient(append([]sr.ClientOpt{sr.URLs(fake.URL()), sr.HTTPClient(connections)}, options...)...)
	require.NoError(t, err)
	fake.decode, err = NewOrderDecoder(FormatAvro, NewRegistry(client))
	require.NoError(t, err)
	fake.value, err = EncodeOrder(7, order(t))
	require.NoError(t, err)
	return fake
}

// answer makes every later request fail with a status and a body.
func (f *fakeRegistry) answer(status int, body string) {
	f.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
		return true
	})
}

func TestRegistry(t *testing.T) {
	t.Parallel()

	t.Run("AsksOnceForAnID", func(t *testing.T) {
		t.Parallel()
		fake := newFakeRegistry(t)
		for range 3 {
			read, err := fake.decode(t.Context(), fake.value)
			require.NoError(t, err)
			require.Equal(t, order(t), read)
		}
		require.EqualValues(t, 1, fake.hits.Load())
	})

	t.Run("GoesOnWithKnownIDsWhileTheRegistryIsAway", func(t *testing.T) {
		t.Parallel()
		fake := newFakeRegistry(t)
		_, err := fake.decode(t.Context(), fake.value)
		require.NoError(t, err)
		fake.answer(http.StatusInternalServerError, "")
		_, err = fake.decode(t.Context(), fake.value)
		require.NoError(t, err)

		other, err := EncodeOrder(8, order(t))
		require.NoError(t, err)
		_, err = fake.decode(t.Context(), other)
		require.ErrorIs(t, err, ErrUnavailable)
	})

	t.Run("RecoversWithTheRegistry", func(t *testing.T) {
		t.Parallel()
		fake := newFakeRegistry(t)
		fake.answer(http.StatusServiceUnavailable, "")
		_, err := fake.decode(t.Context(), fake.value)
		require.ErrorIs(t, err, ErrUnavailable)
		fake.ClearInterceptors()
		_, err = fake.decode(t.Context(), fake.value)
		require.NoError(t, err)
	})

	t.Run("IsUnavailableWhenDown", func(t *testing.T) {
		t.Parallel()
		fake := newFakeRegistry(t)
		fake.Close()
		_, err := fake.decode(t.Context(), fake.value)
		requireUnavailable(t, err, "schema id 7: dial tcp")
	})

	for name, test := range map[string]struct {
		status int
		body   string
		text   string
	}{
		"On500":                      {500, `{"error_code":50001,"message":"store error"}`, "HTTP status 500, error code 50001"},
		"On401":                      {401, `{"error_code":40101,"message":"jane@example.com"}`, "HTTP status 401, error code 40101"},
		"On403":                      {403, "<html>secret</html>", "HTTP status 403, error code 0"},
		"On429":                      {429, "", "HTTP status 429"},
		"OnA404OfAProxy":             {404, "<html>secret</html>", "HTTP status 404, error code 0"},
		"OnA404WithAnotherCode":      {404, `{"error_code":404,"message":"HTTP 404 Not Found"}`, "HTTP status 404, error code 404"},
		"OnALoginPage":               {200, "<html>secret</html>", "not a registry's JSON; is the URL right?"},
		"OnJSONOfSomebodyElse":       {200, `{"ok":true}`, "not a registry's JSON; is the URL right?"},
		"OnASchemaTypeNotHeardOf":    {200, `{"schema":"\"string\"","schemaType":"THRIFT"}`, "not a registry's JSON"},
		"OnAnAnswerThatEndsTooEarly": {200, `{"schema":"`, "not a registry's JSON"},
	} {
		t.Run("IsUnavailable"+name, func(t *testing.T) {
			t.Parallel()
			fake := newFakeRegistry(t)
			fake.answer(test.status, test.body)
			_, err := fake.decode(t.Context(), fake.value)
			requireUnavailable(t, err, test.text)
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), "jane")
		})
	}

	t.Run("IsUnavailableWhenSlow", func(t *testing.T) {
		t.Parallel()
		slow := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Millisecond}
		fake := newFakeRegistry(t, sr.HTTPClient(slow))
		fake.Intercept(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
		_, err := fake.decode(t.Context(), fake.value)
		requireUnavailable(t, err, "schema id 7")
	})

	t.Run("ShowsNoPasswordOfItsURL", func(t *testing.T) {
		t.Parallel()
		fake := newFakeRegistry(t, sr.URLs("http://user:secret@127.0.0.1:1"))
		_, err := fake.decode(t.Context(), fake.value)
		requireUnavailable(t, err, "refused")
		require.NotContains(t, err.Error(), "secret")
	})

	t.Run("SaysThatAnIDIsUnknown", func(t *testing.T) {
		t.Parallel()
		fake := newFakeRegistry(t)
		value, err := EncodeOrder(8, order(t))
		require.NoError(t, err)
		for range 3 {
			_, err = fake.decode(t.Context(), value)
			requireInvalid(t, err, ReasonUnknownSchema, "", "schema id 8 is not in the registry")
		}
		require.EqualValues(t, 1, fake.hits.Load())
	})

	t.Run("DoesNotAskForIDsThatNoRegistryHas", func(t *testing.T) {
		t.Parallel()
		fake := newFakeRegistry(t)
		_, err := fake.decode(t.Context(), []byte{0, 0xff, 0xff, 0xff, 0xff, 0})
		requireInvalid(t, err, ReasonUnknownSchema, "", "schema id 4294967295 is not in the registry")
		require.Zero(t, fake.hits.Load())
	})

	t.Run("RefusesSchemasItCannotUseAndRemembersThat", func(t *testing.T) {
		t.Parallel()
		fake := newFakeRegistry(t)
		fake.SeedSchema("types", 1, 1, sr.Schema{Schema: `{"type":"record","name":"Money","fields":[]}`})
		fake.SeedSchema("a", 1, 2, sr.Schema{Schema: `syntax = "proto3";`, Type: sr.TypeProtobuf})
		fake.SeedSchema("b", 1, 3, sr.Schema{Schema: `{"type":"object"}`, Type: sr.TypeJSON})
		fake.SeedSchema("c", 1, 4, sr.Schema{Schema: recordOf("amount", `"Money"`), References: []sr.SchemaReference{{Name: "Money", Subject: "types", Version: 1}}})
		fake.SeedSchema("d", 1, 5, sr.Schema{Schema: recordOf("next", `["null","R"]`)})
		for id, text := range map[byte]string{
			2: "schema id 2: is a PROTOBUF schema; only Avro is supported", 3: "schema id 3: is a JSON schema",
			4: "schema id 4: refers to other schemas, which is not supported; register it with its types inlined", 5: "schema id 5: R.next: type \"R\" contains itself",
		} {
			for range 2 {
				_, err := fake.decode(t.Context(), []byte{0, 0, 0, 0, id, 0})
				requireInvalid(t, err, ReasonUnknownSchema, "", text)
			}
		}
		require.EqualValues(t, 4, fake.hits.Load())
	})
}

func requireUnavailable(t *testing.T, err error, text string) {
	t.Helper()
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, text)
	var invalid *InvalidError
	require.False(t, errors.As(err, &invalid))
}

func TestRegistryInTime(t *testing.T) {
	t.Parallel()

	t.Run("SharesOneRequestAmongAllThatWait", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			answer, asked := make(chan struct{}), 0
			registry := NewRegistry(sourceFunc(func(context.Context, int) (sr.Schema, error) {
				asked++
				<-answer
				return sr.Schema{Schema: OrderConfirmedSchema}, nil
			}))
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() {
					_, err := registry.schema(t.Context(), 1)
					require.NoError(t, err)
				})
			}
			synctest.Wait()
			close(answer)
			group.Wait()
			require.Equal(t, 1, asked)
		})
	})

	t.Run("OutlivesTheCallerThatAskedFirst", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			answer := make(chan struct{})
			registry := NewRegistry(sourceFunc(func(ctx context.Context, _ int) (sr.Schema, error) {
				<-answer
				return sr.Schema{Schema: OrderConfirmedSchema}, ctx.Err()
			}))
			first, cancel := context.WithCancel(t.Context())
			errs := make(chan error, 2)
			go func() { _, err := registry.schema(first, 1); errs <- err }()
			synctest.Wait()
			go func() { _, err := registry.schema(t.Context(), 1); errs <- err }()
			synctest.Wait()
			cancel()
			err := <-errs
			require.ErrorIs(t, err, context.Canceled)
			requireUnavailable(t, err, "gave up waiting for schema id 1")
			close(answer)
			require.NoError(t, <-errs)
		})
	})

	t.Run("GivesUpARequestAfterFiveSeconds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			registry := NewRegistry(sourceFunc(func(ctx context.Context, _ int) (sr.Schema, error) {
				<-ctx.Done()
				return sr.Schema{}, ctx.Err()
			}))
			start := time.Now()
			_, err := registry.schema(t.Context(), 1)
			requireUnavailable(t, err, "schema id 1: no answer within 5s")
			require.Equal(t, registryTimeout, time.Since(start))
		})
	})

	t.Run("AsksAgainForAnUnknownIDAfterTenSeconds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			registered, asked := false, 0
			registry := NewRegistry(sourceFunc(func(context.Context, int) (sr.Schema, error) {
				asked++
				if !registered {
					return sr.Schema{}, &sr.ResponseError{StatusCode: 404, ErrorCode: codeSchemaNotFound}
				}
				return sr.Schema{Schema: OrderConfirmedSchema}, nil
			}))
			_, err := registry.schema(t.Context(), 1)
			requireInvalid(t, err, ReasonUnknownSchema, "", "schema id 1 is not in the registry")
			registered = true
			time.Sleep(unknownIDTime - time.Nanosecond)
			_, err = registry.schema(t.Context(), 1)
			requireInvalid(t, err, ReasonUnknownSchema, "", "schema id 1 is not in the registry")
			time.Sleep(time.Nanosecond)
			_, err = registry.schema(t.Context(), 1)
			require.NoError(t, err)
			require.Equal(t, 2, asked)
		})
	})

	t.Run("ForgetsMadeUpIDsInBulk", func(t *testing.T) {
		t.Parallel()
		registry := registryOf()
		for id := range 3 * maxUnknownIDs {
			_, err := registry.schema(t.Context(), id)
			requireInvalid(t, err, ReasonUnknownSchema, "", "not in the registry")
		}
		require.LessOrEqual(t, len(registry.unknown), maxUnknownIDs)
	})
}

func TestDecodersAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()

	registry := registryOf(OrderConfirmedSchema, CJEventSchema)
	orders, err := NewOrderDecoder(FormatAvro, registry)
	require.NoError(t, err)
	texts, err := NewOrderDecoder(FormatJSON, nil)
	require.NoError(t, err)
	clicks, err := NewClickDecoder(FormatAvro, registry)
	require.NoError(t, err)
	encoded, err := EncodeOrder(1, order(t))
	require.NoError(t, err)
	click := Click{ID: "abc", CapturedAt: time.Date(2026, 3, 26, 9, 15, 0, 0, time.UTC)}
	encodedClick, err := EncodeClick(2, click)
	require.NoError(t, err)

	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				read, err := orders(t.Context(), encoded)
				require.NoError(t, err)
				require.Equal(t, "95.94", read.Items[1].UnitPrice.Mul(3).Add(read.Items[2].UnitPrice).Add(money(t, "3.98")).String())
				_, err = texts(t.Context(), []byte(orderJSON))
				require.NoError(t, err)
				got, err := clicks(t.Context(), encodedClick, time.Time{})
				require.NoError(t, err)
				require.Equal(t, click, got)
			}
		})
	}
	group.Wait()
}
