package hookwatch.streams;

import hookwatch.Delivery;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** CenturyLink Cloud's four bodies: Account, User, Server, Alert. The event's name is the endpoint's. */
final class Centurylink {
  private interface DecodeBody {
    Fact decode(Body.Fields body, String action, String data) throws Body.Rejection;
  }

  private record EventKind(String action, DecodeBody decodeBody) {}

  private static final Map<String, EventKind> EVENTS = new HashMap<>();

  static {
    for (var action : List.of("created", "updated", "deleted")) {
      var ending = "." + action.substring(0, 1).toUpperCase(Locale.ROOT) + action.substring(1);
      EVENTS.put("Account" + ending, new EventKind(action, Centurylink::account));
      EVENTS.put("User" + ending, new EventKind(action, Centurylink::user));
      EVENTS.put("Server" + ending, new EventKind(action, Centurylink::server));
    }
    EVENTS.put("Alert.Notification", new EventKind("notified", Centurylink::alert));
  }

  static Fact decode(Delivery delivery) throws Body.Rejection {
    var event = EVENTS.get(delivery.event_name);
    if (event == null) {
      var name = delivery.event_name.isEmpty() ? "no event" : delivery.event_name;
      throw new Body.Rejection("unknown event", "the endpoint says " + name + ", which CenturyLink Cloud does not send");
    }
    var body = Body.parse(delivery.body);
    return event.decodeBody.decode(body.fields(), event.action, body.text());
  }

  private static Fact account(Body.Fields body, String action, String data) throws Body.Rejection {
    var alias = body.text("accountAlias");
    if (alias == null) alias = hrefSegment(body, "self", ACCOUNTS);
    if (alias == null) throw accountMissing("accountAlias");
    var parent = body.text("parentAlias");
    if (parent == null) parent = hrefSegment(body, "parentAccount", ACCOUNTS);
    var location = body.text("primaryDataCenter");
    return new Fact(
        "account", action, accountName(alias), parent == null ? "" : accountName(parent), alias, upper(alias),
        location == null ? "" : location, null, null, null, List.of(), data);
  }

  private static Fact user(Body.Fields body, String action, String data) throws Body.Rejection {
    var alias = body.text("accountAlias");
    if (alias == null) alias = pathSegment(body.text("accountUri"), ACCOUNTS);
    if (alias == null) throw accountMissing("accountAlias or accountUri");
    var subject = body.text("userName");
    if (subject == null) subject = pathSegment(body.text("uri"), USERS);
    if (subject == null) throw subjectMissing("userName");
    return new Fact(
        "user", action, accountName(alias), "", subject, subject.toLowerCase(Locale.ROOT), "", null, null, null, List.of(), data);
  }

  /** A Server body names its account in links only; the `id` of a link is not to be trusted. */
  private static Fact server(Body.Fields body, String action, String data) throws Body.Rejection {
    var alias = hrefSegment(body, "account", ACCOUNTS);
    if (alias == null) alias = hrefSegment(body, "self", SERVERS);
    if (alias == null) alias = body.text("accountAlias");
    if (alias == null) throw accountMissing("the href of a link with rel 'account' or 'self', or accountAlias");
    var subject = body.text("name");
    if (subject == null) subject = body.text("id") == null ? null : upper(body.text("id"));
    if (subject == null) throw subjectMissing("name");
    Long createdAt = null;
    Long modifiedAt = null;
    for (var changeInfo : body.objects("changeInfo")) {
      createdAt = Times.parse(changeInfo.text("createdDate"));
      modifiedAt = Times.parse(changeInfo.text("modifiedDate"));
    }
    var location = body.text("locationId");
    return new Fact(
        "server", action, accountName(alias), "", subject, upper(subject), location == null ? "" : location,
        action.equals("created") ? createdAt : modifiedAt, createdAt, modifiedAt, List.of(), data);
  }

  private static Fact alert(Body.Fields body, String action, String data) throws Body.Rejection {
    var alias = body.text("accountAlias");
    if (alias == null) throw accountMissing("accountAlias");
    var subject = body.text("serverName");
    if (subject == null) throw subjectMissing("serverName");
    var triggers = new ArrayList<Fact.Trigger>();
    Long time = null;
    for (var trigger : body.objects("triggers")) {
      var metric = trigger.text("metric");
      var state = trigger.text("state");
      var duration = trigger.text("duration");
      var startedAt = Times.parse(trigger.text("stateStartTime"));
      var endedAt = Times.parse(trigger.text("stateEndTime"));
      triggers.add(new Fact.Trigger(
          metric == null ? "unknown" : metric, state == null ? "" : state, startedAt, endedAt, duration == null ? "" : duration));
      var own = endedAt == null ? startedAt : endedAt;
      if (own != null) time = time == null ? own : Long.valueOf(Math.max(time, own));
    }
    return new Fact(
        "alert", action, accountName(alias), "", subject, upper(subject), "", time, null, null, triggers, data);
  }

  private static String upper(String text) {
    return text.toUpperCase(Locale.ROOT);
  }

  private static String accountName(String alias) {
    return "centurylink:" + upper(alias);
  }

  private static Body.Rejection accountMissing(String where) {
    return new Body.Rejection("account missing", "the body names no account: looked for " + where);
  }

  private static Body.Rejection subjectMissing(String where) {
    return new Body.Rejection("subject missing", "the body does not say what it is about: looked for " + where);
  }

  /** The path segment behind a collection in the href of the first link with that rel. */
  private static String hrefSegment(Body.Fields body, String rel, Pattern collection) {
    for (var link : body.objects("links")) {
      if (rel.equals(link.text("rel"))) return pathSegment(link.text("href"), collection);
    }
    return null;
  }

  private static final Pattern ACCOUNTS = segmentBehind("accounts");
  private static final Pattern SERVERS = segmentBehind("servers");
  private static final Pattern USERS = segmentBehind("users");

  private static Pattern segmentBehind(String collection) {
    return Pattern.compile("(?:^|/)" + collection + "/([\\w.@+-]{1,128})(?:/|$)");
  }

  /** `/v2/servers/ALTD/web01`, `servers` → `ALTD`. Null unless it looks like an alias or a user name. */
  private static String pathSegment(String path, Pattern collection) {
    if (path == null) return null;
    var found = collection.matcher(path);
    return found.find() ? found.group(1) : null;
  }

  private Centurylink() {}
}
