export { Catalog } from './catalog.js'
export { defineTopics, isChecking, topicTypes, type } from './define.js'
export { publishesWait, settingsOf } from './settings.js'
export { validateBody, validateReply } from './validate-body.js'
