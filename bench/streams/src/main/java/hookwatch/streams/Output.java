package hookwatch.streams;

import java.util.Locale;

/** What the program writes: a topic each, named like the view in ClickHouse. */
enum Output {
  DELIVERY("deliveries"),
  CONTROL("control"),
  EVENT("events"),
  EPISODE("episodes"),
  PANE("panes"),
  DETECTION("detections"),
  REJECT("rejects");

  final String topic;
  /** Name of the node in the topology. */
  final String sink;
  /** In the headers, for all but events. */
  final String type = "hookwatch." + name().toLowerCase(Locale.ROOT);

  Output(String topic) {
    this.topic = topic;
    this.sink = "to-" + topic;
  }
}
