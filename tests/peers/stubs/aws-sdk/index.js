// soketi loads it whole for its queue and app managers on AWS, which no test uses.
module.exports = { Lambda: class {}, SQS: class {}, DynamoDB: class {} };
