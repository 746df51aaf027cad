export default { handler: 1 }
