// `loads`: what load() is given, from where Tern is and the key.

export function visitor(loads) {
  let analytics

  const says = {
    page: call => analytics.page(undefined, call.name, call.properties),
    track: call => analytics.track(call.event, call.properties),
    identify: call => analytics.identify(call.userId, call.traits),
    group: call => analytics.group(call.groupId, call.traits),
    alias: call => analytics.alias(call.userId, call.previousId),
  }

  return {
    async start(to) {
      analytics = AnalyticsNext.AnalyticsBrowser.load(...loads(to))
      await analytics.ready()
    },
    async say(calls) {
      for (const call of calls) await says[call.type](call)
      return (await analytics.user()).anonymousId()
    },
  }
}
