let analytics

async function start({ url, key }) {
  analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey: key, cdnURL: url }, options)
  await analytics.ready()
}

const says = {
  page: call => analytics.page(undefined, call.name, call.properties),
  track: call => analytics.track(call.event, call.properties),
  identify: call => analytics.identify(call.userId, call.traits),
  group: call => analytics.group(call.groupId, call.traits),
  alias: call => analytics.alias(call.userId, call.previousId),
}

async function say(calls) {
  for (const call of calls) await says[call.type](call)
  return (await analytics.user()).anonymousId()
}
