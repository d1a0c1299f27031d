// soketi loads it for its cluster command, which no test uses.
module.exports = {};
