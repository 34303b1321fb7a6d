"""Who listens: a queue behind both topics, one behind the bus, and the queues of what was lost. What is heard is kept whole."""

import json


class Heard:
    """The listeners of a stack and all they heard, by place: bodies of messages."""

    def __init__(self, stack):
        sns, events = stack.cloud.client("sns"), stack.cloud.client("events")
        self.sqs = stack.cloud.client("sqs")
        self.queues = {
            "people": self.sqs.create_queue(QueueName="people")["QueueUrl"], "bus": self.sqs.create_queue(QueueName="bus")["QueueUrl"],
            "lost starts": stack.physical["LostStarts"], "lost events": stack.physical["LostEvents"],
        }
        self.said = {place: [] for place in self.queues}
        for output in ("NoticeTopicArn", "AlarmTopicArn"):
            sns.subscribe(TopicArn=stack.outputs[output], Protocol="sqs", Endpoint=self.arn("people"))
        bus = stack.outputs["EventBusArn"].rpartition("/")[2]
        events.put_rule(Name="everything", EventBusName=bus, EventPattern=json.dumps({"source": ["bakproof"]}))
        events.put_targets(Rule="everything", EventBusName=bus, Targets=[{"Id": "listener", "Arn": self.arn("bus")}])

    def arn(self, place):
        return self.sqs.get_queue_attributes(QueueUrl=self.queues[place], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def all(self):
        """Everything so far."""
        for place, url in self.queues.items():
            while found := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in found:
                    self.said[place].append(message["Body"])
                    self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return self.said

    def subjects(self, topic):
        """What notices of a topic are about, in order."""
        notices = [json.loads(body) for body in self.all()["people"]]
        return [notice["Subject"] for notice in notices if notice["TopicArn"] == topic]

    def kinds(self):
        """Kinds of events on the bus, in order."""
        return [json.loads(body)["detail-type"] for body in self.all()["bus"]]
