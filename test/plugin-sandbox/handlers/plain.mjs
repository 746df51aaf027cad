export default ({ body }) => body * 2
