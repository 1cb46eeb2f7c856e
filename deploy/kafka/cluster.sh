#!/usr/bin/env bash
# A real Kafka cluster on this machine without Docker: one or three KRaft nodes, on loopback only.
# Needs bash 4, ps, Java 17 or newer, and Maven once, to gather Kafka's jars into .lib beside this file.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DIR=${KAFKA_CLUSTER_DIR:-${TMPDIR:-/tmp}/cjrelay-kafka}
PORT=${KAFKA_CLUSTER_PORT:-19092}
WAIT=120 # seconds for nodes to serve: three take about eight on two idle cores, and much longer beside a busy test run
STOP=15 # seconds for a node to stop by itself before it is killed
# shellcheck source=deploy/kafka/nodes.sh
source "$HERE/nodes.sh"

usage() {
  cat <<'END'
usage: cluster.sh up [1|3]            start one node (default) or three; prints the bootstrap list
       cluster.sh down                stop every node and remove the data; KEEP=1 keeps it for the next up
       cluster.sh kill NODE [SIGNAL]  send a signal to one node, KILL by default
       cluster.sh restart NODE        stop a node if it runs, start it, wait until it serves
       cluster.sh status              one line a node; exit 1 unless all of them serve
       cluster.sh brokers             print the bootstrap list
       cluster.sh tool NAME ARGS...   run one of Kafka's own tools: topics, configs, console-consumer, ...

environment: KAFKA_CLUSTER_PORT  first broker port (19092); the controllers use the ports ten above
             KAFKA_CLUSTER_DIR   data, logs and process ids (cjrelay-kafka in TMPDIR or /tmp)
             JAVA_HOME           the Java to use
END
}
usage_error() {
  say "$*; see cluster.sh help"
  exit 2
}

up() {
  local wanted=${1:-1} wanted_port=$PORT kept='' node port running
  [[ $wanted == [13] ]] || usage_error "up takes 1 or 3 nodes, not '$wanted'"
  if [[ -f $DIR/cluster ]]; then
    load_cluster
    mapfile -t running < <(alive_nodes)
    if [[ ${running[*]} ]]; then
      ((NODES == wanted)) ||
        fail "a cluster of $NODES runs in $DIR: stop it with cluster.sh down, or set KAFKA_CLUSTER_DIR and KAFKA_CLUSTER_PORT for a second one"
      ((${#running[@]} == NODES)) ||
        fail "of $NODES nodes only ${running[*]} runs: start the others with cluster.sh restart NODE, or begin anew after cluster.sh down"
      wait_serving "${running[@]}" || exit 1
      say "already up"
      bootstrap
      return
    fi
    ((NODES == wanted)) || fail "$DIR holds the data of a cluster of $NODES: bring that up, or remove it with cluster.sh down"
    say "going on with the data in $DIR"
    kept=1 PORT=$wanted_port
  fi
  NODES=$wanted
  for ((node = 1; node <= NODES; node++)); do
    for port in "$(broker_port "$node")" "$(controller_port "$node")"; do
      ! listening "$port" || fail "port $port is taken by another program: stop it, or set KAFKA_CLUSTER_PORT"
    done
  done
  need_jars
  mkdir -p "$DIR"
  [[ $kept ]] || rm -rf "$DIR"/node-[123] # left by an up that was killed outright: formatting refuses old data
  echo "$NODES $PORT" >"$DIR/cluster"
  # From here on a failure or Ctrl-C leaves nothing behind but data that was there before.
  # The trap runs outside of this function, where its local variables are gone.
  # shellcheck disable=SC2064
  trap "say 'giving up'; KEEP=${KEEP:-$kept} down" EXIT
  for ((node = 1; node <= NODES; node++)); do
    mkdir -p "$(node_dir "$node")"
    write_properties "$node"
  done
  [[ $kept ]] || format_nodes
  for ((node = 1; node <= NODES; node++)); do start_node "$node"; done
  mapfile -t running < <(seq "$NODES")
  wait_serving "${running[@]}"
  trap - EXIT
  say "up after $SECONDS s"
  bootstrap
}

# Data about to be removed needs no orderly end, and the last of three nodes takes five seconds for one: it looks for
# a successor that is gone too. So without KEEP the nodes get a moment to tell their clients, and no more.
down() {
  trap - EXIT
  [[ -f $DIR/cluster ]] || { say "nothing to stop in $DIR"; return; }
  load_cluster
  local running
  mapfile -t running < <(alive_nodes)
  if [[ ${KEEP:-} == 1 ]]; then
    stop_nodes "$STOP" "${running[@]}"
    say "down, data kept in $DIR"
    return
  fi
  stop_nodes 2 "${running[@]}"
  # Only what up made: KAFKA_CLUSTER_DIR may be a folder with other things in it.
  rm -rf "$DIR"/node-[123] "$DIR/cluster"
  rmdir "$DIR" 2>/dev/null || true
  say "down, data removed"
}

# Sets NODE to the node that a verb is about, after checking that there is such a node.
pick_node() {
  [[ $# -ge 1 ]] || usage_error "name a node"
  load_cluster
  [[ $1 =~ ^[1-$NODES]$ ]] || usage_error "no node '$1': this cluster has $NODES"
  NODE=$1
}

kill_node() {
  pick_node "$@"
  local signal=${2:-KILL}
  alive "$NODE" || fail "node $NODE does not run"
  kill "-${signal#SIG}" "$(cat "$(node_dir "$NODE")/pid")"
  # A killed process is gone a moment later; a test may rely on it being gone.
  while [[ $signal == *KILL || $signal == 9 ]] && alive "$NODE"; do sleep 0.02; done
  say "sent $signal to node $NODE"
}

restart() {
  pick_node "$@"
  local running
  need_jars
  if alive "$NODE"; then stop_nodes "$STOP" "$NODE"; fi
  start_node "$NODE"
  mapfile -t running < <(alive_nodes)
  wait_serving "${running[@]}"
  say "node $NODE serves again after $SECONDS s"
}

status() {
  load_cluster
  local node seen code=0
  for ((node = 1; node <= NODES; node++)); do
    if alive "$node"; then
      seen=$(brokers_seen "$node")
      echo "node $node 127.0.0.1:$(broker_port "$node") pid $(cat "$(node_dir "$node")/pid") lists $seen of $NODES brokers"
      ((seen == NODES)) || code=1
    else
      echo "node $node 127.0.0.1:$(broker_port "$node") down"
      code=1
    fi
  done
  return "$code"
}

# Kafka's own names without "kafka-". A name with a dot is taken for a class and gets its arguments as they are.
tool() {
  [[ $# -ge 1 ]] || usage_error "name a tool"
  local name=$1 class package=org.apache.kafka.tools server=yes argument
  shift
  case $name in
    acls) class=$package.AclCommand ;;
    broker-api-versions) class=$package.BrokerApiVersionsCommand ;;
    configs) class=kafka.admin.ConfigCommand ;;
    console-consumer) class=$package.consumer.ConsoleConsumer ;;
    console-producer) class=$package.ConsoleProducer ;;
    consumer-groups) class=$package.consumer.group.ConsumerGroupCommand ;;
    consumer-perf-test) class=$package.ConsumerPerformance ;;
    delete-records) class=$package.DeleteRecordsCommand ;;
    dump-log) class=$package.DumpLogSegments server='' ;;
    features) class=$package.FeatureCommand ;;
    get-offsets) class=$package.GetOffsetShell ;;
    groups) class=$package.GroupsCommand ;;
    leader-election) class=$package.LeaderElectionCommand ;;
    log-dirs) class=$package.LogDirsCommand ;;
    metadata-quorum) class=$package.MetadataQuorumCommand ;;
    producer-perf-test) class=$package.ProducerPerformance ;;
    reassign-partitions) class=$package.reassign.ReassignPartitionsCommand ;;
    storage) class=kafka.tools.StorageTool server='' ;;
    topics) class=$package.TopicCommand ;;
    transactions) class=$package.TransactionsCommand ;;
    *.*) class=$name server='' ;;
    *) usage_error "no tool '$name': give one of Kafka's names without 'kafka-', or a class" ;;
  esac
  for argument in "$@"; do
    case $argument in --bootstrap-* | --help | --version) server='' ;; esac
  done
  need_jars
  if [[ $server ]]; then
    load_cluster
    set -- --bootstrap-server "$(bootstrap)" "$@"
  fi
  exec "$JAVA" "${TOOL_JVM[@]}" "$class" "$@"
}

verb=${1:-help}
shift || true
case $verb in
  up) up "$@" ;;
  down) down ;;
  kill) kill_node "$@" ;;
  restart) restart "$@" ;;
  status) status ;;
  brokers) load_cluster && bootstrap ;;
  tool) tool "$@" ;;
  help | -h | --help) usage ;;
  *) usage_error "no verb '$verb'" ;;
esac
